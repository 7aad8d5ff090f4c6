//! The text format of Prometheus, version 0.0.4: families of samples, each with its kind and a line of help.

use std::fmt::{Display, Write};

/// Metrics in the making.
#[derive(Default)]
pub struct Exposition {
    text: String,
    family: &'static str,
}

/// What a family's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows, until the server restarts or its statistics are reset.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts of observations up to bounds.
    Histogram,
    /// Quantiles of observations.
    Summary,
}

impl Exposition {
    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Begins a family of samples.
    pub fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Summary => "summary",
        };
        self.family = name;
        write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n").expect("a string takes any text");
    }

    /// A sample of the family, with its labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.part("", labels, value);
    }

    /// A sample of a part of the family: `_bucket`, `_sum`, `_count`.
    pub fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.family);
        self.text.push_str(suffix);
        for (index, (name, value)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            self.text.push_str(name);
            self.text.push_str("=\"");
            for letter in value.chars() {
                match letter {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        writeln!(self.text, " {value}").expect("a string takes any text");
    }

    /// A family of one sample.
    pub fn one(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(&[], value);
    }
}

/// Bytes as a label: what is no UTF-8, and what no line may hold, is shown as `\xff`.
pub fn label(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() {
                write!(text, "\\x{:02x}", u32::from(letter)).expect("a string takes any text");
            } else {
                text.push(letter);
            }
        }
        for byte in chunk.invalid() {
            write!(text, "\\x{byte:02x}").expect("a string takes any text");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Exposition::default();
        text.family("a_total", Kind::Counter, "Some.");
        text.sample(&[("x", "a\"b\\c\nd"), ("y", &label(b"k\xff\x01\xc3\xa9"))], 1.5);
        assert_eq!(
            text.into_text(),
            "# HELP a_total Some.\n# TYPE a_total counter\na_total{x=\"a\\\"b\\\\c\\nd\",y=\"k\\\\xff\\\\x01\u{e9}\"} 1.5\n"
        );
    }
}
