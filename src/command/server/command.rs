//! COMMAND: the rows, as clients see them.
//!
//! Everything here is derived: the legacy key range from the key specifications, the categories from flags
//! and row, the arguments from the row's syntax. Nothing of it is kept.

use crate::base::glob;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::registry::{CATEGORIES, CommandId, Registered, Registry};
use crate::server::row::{BeginSearch, Command, FindKeys, Flags, KeySpec};
use crate::server::syntax::{self, Argument, ArgumentType};

/// What the subcommands have in common.
const SUBCOMMAND: Command =
    Command { since: "2.8.13", group: "server", arity: 2, flags: Flags::LOADING.or(Flags::STALE), acl: &["connection"], ..Command::BASE };

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "command",
    summary: "Describes all commands.",
    since: "2.8.13",
    group: "server",
    complexity: "O(N) where N is the total number of Redis commands",
    arity: -1,
    flags: Flags::LOADING.or(Flags::STALE),
    acl: &["connection"],
    tips: &["nondeterministic_output_order"],
    handler: all,
    subcommands: &[
        Command { name: "count", summary: "Returns the number of commands.", handler: count, ..SUBCOMMAND },
        Command {
            name: "docs",
            summary: "Documents one, several or all commands.",
            since: "7.0.0",
            complexity: "O(N) where N is the number of commands to look up",
            arity: -2,
            syntax: "[command-name...]",
            tips: &["nondeterministic_output_order"],
            handler: docs,
            ..SUBCOMMAND
        },
        Command {
            name: "getkeys",
            summary: "Extracts the key names from an arbitrary command.",
            complexity: "O(N) where N is the number of arguments to the command",
            arity: -3,
            syntax: "command [arg...]",
            handler: getkeys,
            ..SUBCOMMAND
        },
        Command {
            name: "getkeysandflags",
            summary: "Extracts the key names from an arbitrary command, with what it does to them.",
            since: "7.0.0",
            complexity: "O(N) where N is the number of arguments to the command",
            arity: -3,
            syntax: "command [arg...]",
            handler: getkeysandflags,
            ..SUBCOMMAND
        },
        Command { name: "help", summary: "Lists the subcommands.", since: "5.0.0", handler: help, ..SUBCOMMAND },
        Command {
            name: "info",
            summary: "Describes one, several or all commands.",
            complexity: "O(N) where N is the number of commands to look up",
            arity: -2,
            syntax: "[command-name...]",
            tips: &["nondeterministic_output_order"],
            handler: info,
            ..SUBCOMMAND
        },
        Command {
            name: "list",
            summary: "Returns the names of the commands.",
            since: "7.0.0",
            complexity: "O(N) where N is the total number of Redis commands",
            arity: -2,
            syntax: "[FILTERBY <filterby: MODULE module-name | ACLCAT category | PATTERN pattern:pattern>]",
            tips: &["nondeterministic_output_order"],
            handler: list,
            ..SUBCOMMAND
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Describe all commands.",
    "COUNT",
    "    Show how many commands there are.",
    "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    List the names of the commands.",
    "INFO [<name> ...]",
    "    Describe the commands named, or all.",
    "DOCS [<name> ...]",
    "    Document the commands named, or all.",
    "GETKEYS <full-command>",
    "    Extract the keys of a command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Extract the keys of a command with what it does to them.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn all(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let registry = &ctx.state.registry;
    ctx.reply.array(registry.top_level().count());
    for (_, command) in registry.top_level() {
        describe(&mut ctx.reply, registry, command);
    }
    DONE
}

fn count(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let count = ctx.state.registry.top_level().count();
    ctx.reply.count(count);
    DONE
}

fn info(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 2 {
        return all(ctx, args);
    }
    let registry = &ctx.state.registry;
    ctx.reply.array(args.len() - 2);
    for name in args.from(2).iter() {
        match registry.by_full_name(name) {
            Some(id) => describe(&mut ctx.reply, registry, registry.get(id)),
            None => ctx.reply.null(),
        }
    }
    DONE
}

fn simple_set<'a>(reply: &mut Reply<'_>, words: impl ExactSizeIterator<Item = &'a str>) {
    reply.set(words.len());
    words.for_each(|word| reply.simple(word));
}

/// One entry of COMMAND INFO.
fn describe(reply: &mut Reply<'_>, registry: &Registry, command: &Registered) {
    let row = command.row;
    reply.array(10);
    reply.text(&command.full_name);
    reply.integer(i64::from(row.arity));
    let flags: Vec<&str> = Flags::SHOWN.iter().filter(|(flag, _)| row.flags.any(*flag)).map(|(_, word)| *word).collect();
    simple_set(reply, flags.into_iter());
    for number in legacy_range(row.keys) {
        reply.integer(number);
    }
    let categories: Vec<String> = command.categories.iter().map(|name| format!("@{name}")).collect();
    simple_set(reply, categories.iter().map(String::as_str));
    reply.set(row.tips.len());
    row.tips.iter().for_each(|tip| reply.text(tip));
    reply.set(row.keys.len());
    row.keys.iter().for_each(|spec| describe_keys(reply, spec));
    reply.array(command.children.len());
    for &child in &command.children {
        describe(reply, registry, registry.get(child));
    }
}

/// First key, last key and step as COMMAND told them before there were key specifications.
fn legacy_range(specs: &[KeySpec]) -> [i64; 3] {
    let mut found: Option<(i64, i64, i64)> = None;
    for spec in specs {
        let KeySpec { begin: BeginSearch::Index(first), find: FindKeys::Range { last, step, .. }, .. } = *spec else { continue };
        let first = i64::try_from(first).unwrap_or(0);
        let last = if last >= 0 { first + i64::from(last) } else { i64::from(last) };
        found = match found {
            None => Some((first, last, i64::try_from(step).unwrap_or(1))),
            Some((start, end, 1)) if step == 1 && end == first - 1 => Some((start, last, 1)),
            other => other,
        };
    }
    found.map_or([0; 3], |(first, last, step)| [first, last, step])
}

fn describe_keys(reply: &mut Reply<'_>, spec: &KeySpec) {
    reply.map(if spec.notes.is_empty() { 3 } else { 4 });
    if !spec.notes.is_empty() {
        reply.text("notes");
        reply.text(spec.notes);
    }
    reply.text("flags");
    simple_set(reply, spec.flags.iter().copied());
    reply.text("begin_search");
    match spec.begin {
        BeginSearch::Index(index) => describe_step(reply, "index", &[("index", Fact::Number(i64::try_from(index).unwrap_or(0)))]),
        BeginSearch::Keyword(word, from) => {
            describe_step(reply, "keyword", &[("keyword", Fact::Word(word)), ("startfrom", Fact::Number(i64::from(from)))]);
        }
        BeginSearch::Unknown => describe_step(reply, "unknown", &[]),
    }
    reply.text("find_keys");
    let number = |value: usize| Fact::Number(i64::try_from(value).unwrap_or(0));
    match spec.find {
        FindKeys::Range { last, step, limit } => describe_step(
            reply,
            "range",
            &[("lastkey", Fact::Number(i64::from(last))), ("keystep", number(step)), ("limit", number(limit))],
        ),
        FindKeys::Number { number: at, first, step } => {
            describe_step(reply, "keynum", &[("keynumidx", number(at)), ("firstkey", number(first)), ("keystep", number(step))]);
        }
        FindKeys::Unknown => describe_step(reply, "unknown", &[]),
    }
}

enum Fact {
    Number(i64),
    Word(&'static str),
}

fn describe_step(reply: &mut Reply<'_>, kind: &str, facts: &[(&str, Fact)]) {
    reply.map(2);
    reply.text("type");
    reply.text(kind);
    reply.text("spec");
    reply.map(facts.len());
    for (name, fact) in facts {
        reply.text(name);
        match fact {
            Fact::Number(value) => reply.integer(*value),
            Fact::Word(word) => reply.text(word),
        }
    }
}

fn docs(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let registry = &ctx.state.registry;
    let wanted: Vec<CommandId> = if args.len() == 2 {
        registry.top_level().map(|(id, _)| id).collect()
    } else {
        args.from(2).iter().filter_map(|name| registry.by_full_name(name)).collect()
    };
    ctx.reply.map(wanted.len());
    for id in wanted {
        document(&mut ctx.reply, registry, registry.get(id));
    }
    DONE
}

/// One entry of COMMAND DOCS: the name and its map.
fn document(reply: &mut Reply<'_>, registry: &Registry, command: &Registered) {
    let row = command.row;
    let arguments = syntax::arguments(row).expect("a test parses every row");
    let mut doc_flags = Vec::new();
    if row.deprecated.is_some() {
        doc_flags.push("deprecated");
    }
    if row.flags.any(Flags::SYSTEM) {
        doc_flags.push("syscmd");
    }
    reply.text(&command.full_name);
    let mark = reply.mark();
    let mut pairs = 0;
    let mut text = |reply: &mut Reply<'_>, name: &str, value: &str| {
        if !value.is_empty() {
            reply.text(name);
            reply.text(value);
            pairs += 1;
        }
    };
    text(reply, "summary", row.summary);
    text(reply, "since", row.since);
    text(reply, "group", row.group);
    text(reply, "complexity", row.complexity);
    if !doc_flags.is_empty() {
        reply.text("doc_flags");
        simple_set(reply, doc_flags.into_iter());
        pairs += 1;
    }
    if let Some((since, replacement)) = row.deprecated {
        for (name, value) in [("deprecated_since", since), ("replaced_by", replacement)] {
            reply.text(name);
            reply.text(value);
            pairs += 1;
        }
    }
    if !row.history.is_empty() {
        reply.text("history");
        reply.set(row.history.len());
        for (since, change) in row.history {
            reply.array(2);
            reply.text(since);
            reply.text(change);
        }
        pairs += 1;
    }
    if !arguments.is_empty() {
        reply.text("arguments");
        document_arguments(reply, &arguments);
        pairs += 1;
    }
    if !command.children.is_empty() {
        reply.text("subcommands");
        reply.map(command.children.len());
        for &child in &command.children {
            document(reply, registry, registry.get(child));
        }
        pairs += 1;
    }
    reply.wrap_map(mark, pairs);
}

fn document_arguments(reply: &mut Reply<'_>, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        let mark = reply.mark();
        let mut pairs = 2;
        reply.text("name");
        reply.text(&argument.name);
        reply.text("type");
        reply.text(argument.kind.word());
        if !matches!(argument.kind, ArgumentType::OneOf | ArgumentType::Block) {
            reply.text("display_text");
            reply.text(argument.shown.unwrap_or(&argument.name));
            pairs += 1;
        }
        if let Some(spec) = argument.key_spec {
            reply.text("key_spec_index");
            reply.count(spec);
            pairs += 1;
        }
        if let Some(token) = argument.token {
            reply.text("token");
            reply.text(token);
            pairs += 1;
        }
        let occurrence = argument.occurrence;
        let flags = [(occurrence.optional, "optional"), (occurrence.multiple, "multiple"), (occurrence.multiple_token, "multiple_token")];
        let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
        if !flags.is_empty() {
            reply.text("flags");
            simple_set(reply, flags.into_iter());
            pairs += 1;
        }
        if !argument.arguments.is_empty() {
            reply.text("arguments");
            document_arguments(reply, &argument.arguments);
            pairs += 1;
        }
        reply.wrap_map(mark, pairs);
    }
}

/// Which names COMMAND LIST shows.
enum Filter<'a> {
    All,
    /// There are no modules, so no command comes from one.
    Module,
    Category(Option<&'static str>),
    Pattern(&'a [u8]),
}

fn list(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let filter = match args.len() {
        2 => Filter::All,
        5 if args.is(2, "FILTERBY") => {
            let value = args.at(4);
            match args.at(3).to_ascii_uppercase().as_slice() {
                b"MODULE" => Filter::Module,
                b"ACLCAT" => Filter::Category(CATEGORIES.iter().copied().find(|name| value.eq_ignore_ascii_case(name.as_bytes()))),
                b"PATTERN" => Filter::Pattern(value),
                _ => return Err(Error::SYNTAX),
            }
        }
        _ => return Err(Error::SYNTAX),
    };
    let shown = |command: &Registered| match filter {
        Filter::All => true,
        Filter::Module => false,
        Filter::Category(name) => name.is_some_and(|name| command.categories.contains(&name)),
        Filter::Pattern(pattern) => glob::matches(pattern, command.full_name.as_bytes(), glob::Case::Ignored),
    };
    let registry = &ctx.state.registry;
    let callable = |command: &Registered| !command.parent.map_or(command, |parent| registry.get(parent)).called.is_empty();
    let names: Vec<&str> =
        registry.iter().filter(|(_, command)| callable(command) && shown(command)).map(|(_, command)| command.full_name.as_str()).collect();
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.text(name));
    DONE
}

/// The keys among the words of a command, each with the flags of its specification.
fn keys_of(ctx: &Ctx<'_>, args: Args<'_>) -> Result<Vec<(usize, &'static [&'static str])>, Error> {
    let registry = &ctx.state.registry;
    let id = registry.resolve(args.at(0), args.get(1)).ok_or(Error::fixed("ERR Invalid command specified"))?;
    let row = registry.get(id).row;
    // a shard channel is found like a key and is none
    if row.keys.iter().all(|spec| spec.flags.contains(&"not_key")) {
        return Err(Error::fixed("ERR The command has no key arguments"));
    }
    if !row.takes(args.len()) {
        return Err(Error::fixed("ERR Invalid number of arguments specified for command"));
    }
    let keys = row.keys_with_flags(args).filter(|keys| !keys.is_empty() || row.flags.any(Flags::NO_MANDATORY_KEYS));
    keys.ok_or(Error::fixed("ERR Invalid arguments specified for command"))
}

fn getkeys(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let args = args.from(2);
    let keys = keys_of(ctx, args)?;
    ctx.reply.array(keys.len());
    keys.iter().for_each(|&(at, _)| ctx.reply.bulk(args.at(at)));
    DONE
}

fn getkeysandflags(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let args = args.from(2);
    let keys = keys_of(ctx, args)?;
    ctx.reply.array(keys.len());
    for (at, flags) in keys {
        ctx.reply.array(2);
        ctx.reply.bulk(args.at(at));
        simple_set(&mut ctx.reply, flags.iter().copied());
    }
    DONE
}
