//! Users and sessions: logging in, measuring requests, and what becomes of clients whose user changes.

use std::collections::BTreeSet;

use super::file;
use super::log::{Context, Entry, Reason};
use super::selector::{Denial, Forbidden, Selector, is_channel_among};
use super::user::User;
use super::{UserId, Users, rulebook};
use crate::config::ClientClass;
use crate::keyspace::Keyspace;
use crate::limits;
use crate::resp::request::Args;
use crate::server::State;
use crate::server::client::{Client, ClientFlags, ClientKey};
use crate::server::client_line;
use crate::server::error::Error;
use crate::server::pubsub::Medium;
use crate::server::registry::{CommandId, Registry};

/// Who acts as nobody: what they say was said where it was allowed.
const ABOVE: ClientFlags = ClientFlags::PRIMARY.or(ClientFlags::REPLAY);

impl State {
    /// Who a client acts as; `None` for those who may do everything because nobody stands behind them.
    pub fn user_of(&self, client: &Client) -> Option<UserId> {
        (!client.flags.any(ABOVE)).then_some(client.user)
    }

    /// The name that is shown of a client's user.
    pub fn shown_user(&self, client: &Client) -> &[u8] {
        self.user_of(client).map_or(b"(superuser)", |user| &self.users.get(user).name)
    }

    /// A client is the default user, logged in if nobody has to.
    pub fn log_out(&mut self, key: ClientKey) {
        self.act_as(key, UserId::DEFAULT, self.users.default_user().is_open());
    }

    /// Logs a client in, if the password is that of the user. An attempt that fails is logged, with the command that it was
    /// made by.
    pub fn log_in(&mut self, key: ClientKey, name: &[u8], password: &[u8], command: &[u8]) -> Result<(), Error> {
        let user = self.users.id(name).filter(|&id| self.users.get(id).admits(password));
        let Some(user) = user else {
            self.users.log.refused.logins += 1;
            let context = self.context_of(key);
            self.note_refusal(key, Reason::Auth, context, command, Some(name));
            return Err(Error::WRONG_PASS);
        };
        self.act_as(key, user, true);
        Ok(())
    }

    fn act_as(&mut self, key: ClientKey, user: UserId, logged_in: bool) {
        let client = &mut self.clients[key];
        client.user = user;
        client.flags.set(ClientFlags::LOGGED_IN, logged_in);
        mark(client, &self.users);
    }

    /// Users have changed: every client's flags are worked out anew.
    pub fn heed_users(&mut self) {
        self.clients.iter_mut().for_each(|(_, client)| mark(client, &self.users));
    }

    /// Whether a client may make a request.
    pub fn measure(&self, key: ClientKey, command: CommandId, args: Args<'_>) -> Result<(), Denial> {
        let client = &self.clients[key];
        match self.user_of(client).filter(|_| client.flags.any(ClientFlags::RESTRICTED)) {
            None => Ok(()),
            Some(user) => self.users.get(user).check(&self.registry, command, args),
        }
    }

    /// Whether a client that may make this request may also read every key.
    pub fn may_read_all_keys(&self, key: ClientKey, command: CommandId, args: Args<'_>) -> bool {
        let client = &self.clients[key];
        let user = self.user_of(client).filter(|_| client.flags.any(ClientFlags::RESTRICTED));
        user.is_none_or(|user| self.users.get(user).may_read_all_keys(&self.registry, command, args))
    }

    /// A client's request is allowed, or is refused: then it is counted and logged, and the error says what is missing.
    pub fn admit(&mut self, key: ClientKey, command: CommandId, args: Args<'_>) -> Result<(), Error> {
        let Err(denial) = self.measure(key, command, args) else { return Ok(()) };
        self.clients[key].last_command = Some(command);
        let context = self.context_of(key);
        self.note_denial(key, denial, context, command, args);
        let name = &self.users.get(self.clients[key].user).name;
        Err(Error::bytes([b"NOPERM ", missing(&self.registry, name, denial, command).as_slice()].concat()))
    }

    /// Where a client's own commands stand.
    fn context_of(&self, key: ClientKey) -> Context {
        if self.clients[key].flags.any(ClientFlags::MULTI) { Context::Multi } else { Context::TopLevel }
    }

    /// Counts and logs a request that was refused.
    pub fn note_denial(&mut self, key: ClientKey, denial: Denial, context: Context, command: CommandId, args: Args<'_>) {
        let refused = &mut self.users.log.refused;
        let (reason, counter) = match denial.what {
            Forbidden::Command => (Reason::Command, &mut refused.commands),
            Forbidden::Key => (Reason::Key, &mut refused.keys),
            Forbidden::Channel => (Reason::Channel, &mut refused.channels),
        };
        *counter += 1;
        let object = match denial.what {
            Forbidden::Command => self.registry.get(command).full_name.as_bytes().to_vec(),
            Forbidden::Key | Forbidden::Channel => args.at(denial.at).to_vec(),
        };
        self.note_refusal(key, reason, context, &object, None);
    }

    fn note_refusal(&mut self, key: ClientKey, reason: Reason, context: Context, object: &[u8], name: Option<&[u8]>) {
        let mut client = Vec::new();
        client_line::describe(self, key, &mut client);
        let kept = |word: &[u8]| word[..word.len().min(limits::REFUSED_WORD)].into();
        let at_ms = self.now.unix.to_millis().0;
        let attempt = Entry {
            id: 0,
            count: 1,
            reason,
            context,
            object: kept(object),
            user: kept(name.unwrap_or_else(|| self.shown_user(&self.clients[key]))),
            client: client.trim_ascii_end().into(),
            created_ms: at_ms,
            updated_ms: at_ms,
        };
        let most = usize::try_from(self.config.acllog_max_len).unwrap_or(usize::MAX);
        self.users.log.note(attempt, most);
    }

    /// Makes a user, or puts it in the place of that of its name.
    pub fn put_user(&mut self, space: &mut Keyspace, user: User) {
        self.settle_user(space, user);
        self.heed_users();
    }

    /// Puts a user where it belongs. Who listens to channels that it may not any more is sent away.
    fn settle_user(&mut self, space: &mut Keyspace, user: User) {
        if let Some(id) = self.users.id(&user.name) {
            let lost = lost_channels(self.users.get(id), &user);
            let listeners = self.clients_of(id, |client| lost.as_ref().is_some_and(|left| listens_beyond(client, left)));
            self.users.put(user, &self.registry);
            listeners.into_iter().for_each(|key| self.send_away(space, key));
        } else {
            self.users.put(user, &self.registry);
        }
    }

    /// Takes a user out, and sends its clients away. Gives whether there was one.
    pub fn remove_user(&mut self, space: &mut Keyspace, name: &[u8]) -> bool {
        let Some(id) = self.users.id(name) else { return false };
        self.clients_of(id, |_| true).into_iter().for_each(|key| self.send_away(space, key));
        self.users.remove(id);
        true
    }

    /// Puts these users in the place of all: those of a name that stays keep their clients, if these do not listen to what
    /// they may not any more.
    pub fn replace_users(&mut self, space: &mut Keyspace, users: Vec<User>) {
        let staying: BTreeSet<&[u8]> = users.iter().map(|user| &*user.name).collect();
        let gone: Vec<Box<[u8]>> = self.users.iter().filter(|old| !staying.contains(&*old.name)).map(|old| old.name.clone()).collect();
        for name in gone {
            self.remove_user(space, &name);
        }
        for user in users {
            self.settle_user(space, user);
        }
        self.heed_users();
    }

    fn clients_of(&self, user: UserId, wanted: impl Fn(&Client) -> bool) -> Vec<ClientKey> {
        let clients = self.clients.iter().filter(|(_, client)| self.user_of(client) == Some(user) && wanted(client));
        clients.map(|(key, _)| key).collect()
    }

    /// Ends the connection of a client that may not go on as who it was. Until it is gone it is nobody.
    fn send_away(&mut self, space: &mut Keyspace, key: ClientKey) {
        self.act_as(key, UserId::DEFAULT, false);
        self.hang_up(space, key);
    }

    /// The users of the configuration, before anybody is served. The error is what to tell the operator.
    pub fn load_users(&mut self, space: &mut Keyspace) -> Result<(), String> {
        let book = rulebook(&self.registry, &self.config);
        let configured = file::configured(&self.config.users, book)?;
        for user in configured.iter().filter(|user| !user.is_on) {
            let name = String::from_utf8_lossy(&user.name);
            log::info!("The user '{name}' is disabled (there is no 'on' among its rules). Make sure this is not a configuration error.");
        }
        if self.config.aclfile.is_empty() {
            configured.into_iter().for_each(|user| self.settle_user(space, user));
            self.heed_users();
            return Ok(());
        }
        if !configured.is_empty() {
            return Err("There are 'user' lines in the configuration and a file of users ('aclfile') besides, which easily leaves users out. Have either all of them in the file or all of them in the configuration.".to_string());
        }
        self.load_user_file(space).map_err(|error| format!("Aborting startup because of ACL errors: {error}"))
    }

    /// Reads the users anew from their file. An error, in words for whoever asked, leaves all as they were.
    pub fn load_user_file(&mut self, space: &mut Keyspace) -> Result<(), String> {
        let path = &self.config.aclfile;
        let text = (self.host.read_present)(path).map_err(|why| format!("Error loading ACLs, opening file '{path}': {why}"))?;
        let book = rulebook(&self.registry, &self.config);
        let users = file::with_default(file::parse(&text, path, book)?, book);
        self.replace_users(space, users);
        Ok(())
    }

    /// Writes all users into their file.
    pub fn save_user_file(&self) -> Result<(), String> {
        (self.host.replace)(&self.config.aclfile, &self.users.text())
    }
}

/// Sets what a client's commands are looked at for.
fn mark(client: &mut Client, users: &Users) {
    let logged_in = client.flags.any(ClientFlags::LOGGED_IN);
    client.flags.set(ClientFlags::AUTHENTICATED, logged_in || users.default_user().is_open());
    client.flags.set(ClientFlags::RESTRICTED, users.is_limited(client.user));
}

/// What a user lacks for a request, in words that give no key and no channel away.
pub fn missing(registry: &Registry, name: &[u8], denial: Denial, command: CommandId) -> Vec<u8> {
    match denial.what {
        Forbidden::Command => {
            let command = registry.get(command).full_name.as_bytes();
            [b"User ", name, b" has no permissions to run the '", command, b"' command"].concat()
        }
        Forbidden::Key => b"No permissions to access a key".to_vec(),
        Forbidden::Channel => b"No permissions to access a channel".to_vec(),
    }
}

/// The patterns of channels that a user has from now on, if not all that it had are among them.
fn lost_channels(before: &User, after: &User) -> Option<Vec<Box<[u8]>>> {
    if after.all_selectors().any(|selector| selector.allows_all_channels()) {
        return None;
    }
    let left: Vec<Box<[u8]>> = after.all_selectors().flat_map(|selector| selector.channels().iter().cloned()).collect();
    let loses = |selector: &Selector| selector.allows_all_channels() || selector.channels().iter().any(|pattern| !left.contains(pattern));
    let loses = before.all_selectors().any(loses);
    loses.then_some(left)
}

/// Whether a client listens to anything but these channels.
fn listens_beyond(client: &Client, allowed: &[Box<[u8]>]) -> bool {
    let Some(own) = client.subscriptions.as_ref().filter(|_| client.class() == ClientClass::Pubsub) else { return false };
    let beyond = |medium| own.of(medium).iter().any(|name| !is_channel_among(allowed, name, medium == Medium::Pattern));
    [Medium::Channel, Medium::Pattern, Medium::Shard].into_iter().any(beyond)
}
