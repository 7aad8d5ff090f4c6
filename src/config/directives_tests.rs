//! The table holds together: names, defaults, bounds, vocabularies, fields.

use std::collections::BTreeSet;

use super::*;

fn words(row: &Row, text: &str) -> Vec<Vec<u8>> {
    row.shape.words_of_set(text.as_bytes())
}

#[test]
fn names_are_unique_and_in_lower_case() {
    let mut seen = BTreeSet::new();
    for name in rows().flat_map(Row::names) {
        assert_eq!(name, name.to_ascii_lowercase());
        assert!(seen.insert(name), "{name} occurs twice");
        assert_eq!(find(name.to_ascii_uppercase().as_bytes()).map(|(_, known)| known), Some(name));
    }
    assert!(find(b"nothing").is_none());
}

#[test]
fn every_row_is_described_in_one_sentence() {
    for row in rows() {
        assert!(row.about.ends_with('.'), "{}", row.name);
        assert!(row.about.len() > 10, "{}", row.name);
    }
}

#[test]
fn every_default_parses_to_itself() {
    let config = Config::default();
    for row in rows() {
        assert_eq!(row.value(&config), row.default_value(), "{}", row.name);
        // CONFIG GET shows nothing for no primary, and nothing is no notation of it.
        if matches!(row.shape, Shape::ReplicaOf) {
            continue;
        }
        let mut copy = config.clone();
        let shown = String::from_utf8(row.show(&config)).expect("defaults are text");
        row.assign(&mut copy, &words(row, &shown), Adds::Nothing).expect(row.name);
        assert_eq!(copy, config, "{} shows {shown}", row.name);
    }
}

#[test]
fn what_is_written_parses_to_itself() {
    let config = Config::default();
    for row in rows() {
        let mut copy = config.clone();
        let mut adds = Adds::Nothing;
        for line in row.shape.write(&row.value(&config)) {
            let split = crate::base::text::split_arguments(&line).expect("quotes are balanced");
            row.assign(&mut copy, &split, adds).expect(row.name);
            adds = Adds::ToEarlier;
        }
        assert_eq!(copy, config, "{}", row.name);
    }
}

#[test]
fn bounds_fit_the_fields_and_are_kept() {
    for row in SETTINGS {
        let Shape::Number { notation, bounds: (min, max), kept } = row.shape else {
            continue;
        };
        let text = |number: i128| match notation {
            Notation::Octal => format!("{number:o}"),
            _ => number.to_string(),
        };
        let mut config = Config::default();
        for number in [min, max] {
            row.assign(&mut config, &words(row, &text(number)), Adds::Nothing).expect(row.name);
            assert_eq!(row.value(&config), Value::Int(number.clamp(kept.0, kept.1)), "{}", row.name);
        }
        let before = config.clone();
        for number in [min - 1, max + 1] {
            let refused = row.assign(&mut config, &words(row, &text(number)), Adds::Nothing);
            assert!(refused.is_err(), "{} takes {number}", row.name);
        }
        assert_eq!(config, before);
    }
}

#[test]
fn every_word_of_a_vocabulary_is_taken_and_shown() {
    for row in SETTINGS {
        let Shape::Word(vocabulary) = row.shape else {
            continue;
        };
        for word in vocabulary {
            let mut config = Config::default();
            let loud = word.to_ascii_uppercase();
            row.assign(&mut config, &words(row, &loud), Adds::Nothing).expect(row.name);
            assert_eq!(row.show(&config), word.as_bytes());
        }
    }
}

#[test]
fn no_bytes_make_any_row_panic() {
    let hostile: [&[u8]; 14] = [
        b"",
        b" ",
        b"   ",
        b"\xff\xfe",
        b"-",
        b"%",
        b"99999999999999999999999999",
        b"-1",
        b"auto",
        b"1e999",
        b"nan",
        b"normal 1 1 99999999999999999999",
        b"\0",
        b"{",
    ];
    for row in rows() {
        for text in hostile {
            let mut config = Config::default();
            let many = row.shape.words_of_set(text);
            for given in [many, vec![text.to_vec()], vec![text.to_vec(); 3], vec![]] {
                if row.assign(&mut config, &given, Adds::ToEarlier).is_ok() {
                    row.show(&config);
                    row.shape.write(&row.value(&config));
                }
            }
        }
    }
}

#[test]
fn an_absent_ability_is_refused_with_a_reason_and_its_off_values_are_taken() {
    let mut config = Config::default();
    let (row, _) = find(b"tls-port").expect("a row");
    let error = row.assign(&mut config, &words(row, "6380"), Adds::Nothing).expect_err("absent");
    assert_eq!(error, "tls-port is not available: this server does not speak TLS; accepted here: 0");
    assert_eq!(config, Config::default());
    let (row, _) = find(b"tls-auth-clients").expect("a row");
    row.assign(&mut config, &words(row, "no"), Adds::Nothing).expect("off");
    assert_eq!(row.show(&config), b"no");
    row.assign(&mut config, &words(row, "yes"), Adds::Nothing).expect("default");
    assert_eq!(config, Config::default());
}

#[test]
fn a_moot_directive_shows_what_was_set() {
    let mut config = Config::default();
    let (row, _) = find(b"activerehashing").expect("a row");
    row.assign(&mut config, &words(row, "no"), Adds::Nothing).expect("legal");
    assert_eq!(row.show(&config), b"no");
    assert!(row.assign(&mut config, &words(row, "maybe"), Adds::Nothing).is_err());
}

#[test]
fn fields_are_typed() {
    let config = Config::default();
    assert_eq!(config.port, 6379);
    assert_eq!(config.bind, ["*", "-::*"]);
    assert_eq!(config.appendfsync, AppendFsync::EverySecond);
    assert_eq!(config.save.len(), 3);
    let limit = config.client_output_buffer_limit[super::super::ClientClass::Replica];
    assert_eq!((limit.hard_bytes, limit.soft_bytes, limit.soft_seconds), (256 << 20, 64 << 20, 60));
    assert_eq!(config.replicaof, None);
    assert!(config.notify_keyspace_events.is_empty());
    assert_eq!(config.maxmemory, MaxMemory { bytes: 0, auto: false });
}
