//! The tokenizer's own chat template, a Jinja program from `chat_template.jinja` or `tokenizer_config.json`,
//! rendered as transformers does: the question is one user turn, then the marker at which the answer begins.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde::Serialize;
use serde_json::ser::Formatter;

use crate::DataError;

/// Steps a template may take for one prompt: a hostile one ends instead of running for ever.
const FUEL: u64 = 2_000_000;

const ENTRY: &str = "chat";

/// A compiled chat template with the special tokens it may name.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    origin: PathBuf,
    source: Arc<str>,
    tokens: Vec<(String, String)>,
    environment: Arc<Environment<'static>>,
}

impl ChatTemplate {
    /// Reads the template of a model folder.
    pub fn from_model_dir(dir: &Path) -> Result<Self, DataError> {
        let config_path = dir.join("tokenizer_config.json");
        let config: serde_json::Value = if config_path.exists() {
            serde_json::from_slice(&fs_err::read(&config_path)?).map_err(|error| DataError::Tokenizer {
                path: config_path.clone(),
                what: format!("is not valid JSON: {error}"),
            })?
        } else {
            serde_json::Value::Null
        };
        let mut tokens = Vec::new();
        if let Some(entries) = config.as_object() {
            for (name, value) in entries.iter().filter(|(name, _)| name.ends_with("_token")) {
                if let Some(token) = value.as_str().or_else(|| value["content"].as_str()) {
                    tokens.push((name.clone(), token.to_owned()));
                }
            }
        }
        tokens.sort();
        let file = dir.join("chat_template.jinja");
        if file.exists() {
            let source = fs_err::read_to_string(&file)?;
            return Self::new(&file, source, tokens);
        }
        let source = match &config["chat_template"] {
            serde_json::Value::String(source) => Some(source.clone()),
            // Several templates: the one for plain conversation is called default.
            serde_json::Value::Array(list) => list
                .iter()
                .find(|entry| entry["name"] == "default")
                .and_then(|entry| entry["template"].as_str())
                .map(str::to_owned),
            _ => None,
        };
        match source {
            Some(source) => Self::new(&config_path, source, tokens),
            None => Err(DataError::Template {
                name: ENTRY.to_owned(),
                what: format!(
                    "{} has no chat template (neither chat_template.jinja nor an entry in tokenizer_config.json): \
                     choose alpaca or plain",
                    dir.display()
                ),
            }),
        }
    }

    /// Compiles a template; `tokens` are the special tokens by the names of `tokenizer_config.json`.
    pub fn new(origin: &Path, source: String, tokens: Vec<(String, String)>) -> Result<Self, DataError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_filter("tojson", to_json);
        // `strftime_now` is left undefined on purpose: a prompt with today's date could not be computed again.
        let fault = |error: &Error| DataError::Template {
            name: ENTRY.to_owned(),
            what: format!("{}: {error:#}", origin.display()),
        };
        environment.add_template_owned(ENTRY, without_generation_marks(&source)).map_err(|error| fault(&error))?;
        Ok(Self { origin: origin.to_owned(), source: source.into(), tokens, environment: Arc::new(environment) })
    }

    /// The text before the answer to one user turn.
    pub(crate) fn prompt(&self, question: &str) -> Result<String, DataError> {
        let fault = |error: &Error| DataError::Template {
            name: ENTRY.to_owned(),
            what: format!("{}: {error:#}", self.origin.display()),
        };
        let tokens = Value::from_iter(self.tokens.iter().map(|(name, token)| (name.as_str(), token.as_str())));
        let turn = context! { role => "user", content => question };
        let values = context! { messages => vec![turn], add_generation_prompt => true, ..tokens };
        let template = self.environment.get_template(ENTRY).map_err(|error| fault(&error))?;
        template.render(values).map_err(|error| fault(&error))
    }

    pub(crate) fn parts(&self) -> Vec<&str> {
        let tokens = self.tokens.iter().flat_map(|(name, token)| [name.as_str(), token.as_str()]);
        std::iter::once(&*self.source).chain(tokens).collect()
    }
}

/// `{% generation %}` marks the assistant's text for loss masks and prints nothing; Jinja itself does not know it.
fn without_generation_marks(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let tag = &rest[start..start + length + 2];
        let name = tag.trim_start_matches("{%").trim_end_matches("%}").trim_matches(['-', '+']).trim();
        let word = match name {
            "generation" => Some(("generation", "if true")),
            "endgeneration" => Some(("endgeneration", "endif")),
            _ => None,
        };
        text.push_str(&rest[..start]);
        match word {
            Some((old, new)) => text.push_str(&tag.replacen(old, new, 1)),
            None => text.push_str(tag),
        }
        rest = &rest[start + length + 2..];
    }
    text.push_str(rest);
    text
}

/// As Python's `json.dumps(value, ensure_ascii=False, indent=...)`.
#[expect(clippy::needless_pass_by_value, reason = "the form that the template engine demands of a filter")]
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let mut bytes = Vec::new();
    let written = match indent {
        Some(width) => {
            let spaces = " ".repeat(width.min(16));
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, PythonSpacing)),
    };
    written.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// A space after commas and colons.
struct PythonSpacing;

impl Formatter for PythonSpacing {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn render(source: &str) -> Result<String, DataError> {
        let tokens = vec![("bos_token".to_owned(), "<s>".to_owned()), ("eos_token".to_owned(), "</s>".to_owned())];
        ChatTemplate::new(Path::new("chat_template.jinja"), source.to_owned(), tokens)?.prompt("Hi <there>")
    }

    #[test]
    fn renders_as_transformers_does() {
        let source = "{{ bos_token }}{% for message in messages %}\n{{ '<|' + message['role'] + '|>\\n' + \
                      message['content'].strip() + eos_token }}\n{% if loop.last and add_generation_prompt %}\n\
                      {{- '<|assistant|>\\n' -}}\n{% endif %}\n{% endfor %}\n";
        assert_eq!(render(source).unwrap(), "<s><|user|>\nHi <there></s>\n<|assistant|>\n");
    }

    #[test]
    fn generation_marks_and_loop_controls_are_understood() {
        let source = "{% for m in messages %}{%- generation -%} x {%- endgeneration -%}{% break %}{% endfor %}";
        assert_eq!(render(source).unwrap(), "x");
        assert_eq!(render("{{ messages | tojson }}").unwrap(), r#"[{"role": "user", "content": "Hi <there>"}]"#);
    }

    #[test]
    fn faults_of_a_template_are_errors_that_name_it() {
        for (source, part) in [
            ("{% if %}", "chat_template.jinja"),
            ("{{ raise_exception('Only tools.') }}", "Only tools."),
            ("{{ strftime_now('%d') }}", "strftime_now"),
            ("{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}", "fuel"),
        ] {
            let error = render(source).unwrap_err().to_string();
            assert!(error.contains(part), "{source}: {error}");
        }
    }
}
