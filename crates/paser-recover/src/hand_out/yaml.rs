//! A configuration as flat YAML: one key a line, values in the notation that YAML shares with JSON. Numbers never have an
//! exponent: PyYAML reads `1e-5` as a text.

use std::fmt::Write;

/// Lines of `key: value`, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Yaml(String);

impl Yaml {
    /// Adds a text, a switch or a list of texts.
    pub(super) fn value(&mut self, key: &str, value: impl Into<serde_json::Value>) -> &mut Self {
        self.line(key, &value.into().to_string())
    }

    /// Adds a number in plain decimals.
    pub(super) fn number(&mut self, key: &str, value: f64) -> &mut Self {
        self.line(key, &value.to_string())
    }

    /// Adds what is YAML already.
    pub(super) fn line(&mut self, key: &str, text: &str) -> &mut Self {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "{key}: {text}");
        self
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_have_no_exponent() {
        let mut yaml = Yaml::default();
        yaml.number("rate", 5e-7).value("name", "a: \"b\" # c").value("list", vec!["x", "y"]);
        assert_eq!(yaml.text(), "rate: 0.0000005\nname: \"a: \\\"b\\\" # c\"\nlist: [\"x\",\"y\"]\n");
    }
}
