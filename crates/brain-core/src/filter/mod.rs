//! The filter language of views: what must hold of a sample, or of a label.
//!
//! ```text
//! ground_truth.label == "dog" and confidence > 0.5
//! weather.label in ["rain", "snow"] or not (tags contains "train")
//! exists(uniqueness) and filepath contains "/night/"
//! ```
//!
//! | form | holds when |
//! |---|---|
//! | `path == value`, `!=`, `<`, `<=`, `>`, `>=` | the value compares so; numbers with numbers, text with text, `true` and `false` |
//! | `path in [a, b]`, `path not in [a, b]` | the value is one of these, or none of them |
//! | `path contains "x"` | the text holds `x`, or the list of `tags` has the tag `x` |
//! | `exists(path)` or `path exists` | there is a value |
//! | `not f`, `f and g`, `f or g`, `(f)` | as in logic; `not` binds tightest, then `and`, then `or` |
//!
//! A path is a field (`uniqueness`), an attribute of a label field (`ground_truth.confidence`), or one of `id`, `filepath`, `tags`.
//! On a field that holds a list of labels a comparison holds when *some* label satisfies it; `!=` and `not in` are the negations, so they hold
//! when *no* label does, and also where there is no value. To ask several things of the *same* label, filter the labels or the patches.
//!
//! *Why a language of our own:* it is typed on a command line, stored with runs and compiled to SQL, so it must be small, printable and safe.
//! Parsing and printing are inverse to each other.

mod lexer;
mod parser;
mod syntax_error;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// What must hold of a sample or a label. Parsed with [`str::parse`], printed with `Display`.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these hold; at least two.
    And(Vec<Filter>),
    /// One of these holds; at least two.
    Or(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// A value compares with a literal.
    Compare {
        /// Whose value.
        path: Path,
        /// How.
        comparison: Comparison,
        /// With what.
        value: Literal,
    },
    /// A value is one of some literals.
    In {
        /// Whose value.
        path: Path,
        /// The literals; at least one.
        values: Vec<Literal>,
    },
    /// A text holds another, or a list of tags has a tag.
    Contains {
        /// Whose value.
        path: Path,
        /// What it holds.
        text: String,
    },
    /// There is a value.
    Exists {
        /// Whose value.
        path: Path,
    },
}

/// Names a value: a field, or an attribute of a label field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The field; an attribute's bare name where a label is filtered.
    pub field: String,
    /// The attribute of the field's labels.
    pub attribute: Option<String>,
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`, the negation of `==`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value written in a filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other finite number.
    Float(f64),
    /// `"text"` or `'text'`, with `\"`, `\'`, `\\`, `\n` and `\t`.
    Text(String),
}

impl Comparison {
    /// The sign, as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl FromStr for Filter {
    type Err = Error;

    /// Reads a filter.
    ///
    /// The error is [`InvalidInput`](crate::ErrorKind::InvalidInput); its message shows the filter with a caret under the column at fault.
    fn from_str(text: &str) -> Result<Self, Error> {
        parser::parse(text)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.field)?;
        match &self.attribute {
            Some(attribute) => write!(f, ".{attribute}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            // `{:?}` prints the shortest form that reads back as the same number, always with a point or an exponent.
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Text(value) => {
                f.write_str("\"")?;
                for character in value.chars() {
                    match character {
                        '"' => f.write_str("\\\"")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\t' => f.write_str("\\t")?,
                        other => write!(f, "{other}")?,
                    }
                }
                f.write_str("\"")
            }
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => joined(f, parts, " and "),
            Self::Or(parts) => joined(f, parts, " or "),
            Self::Not(inner) => match **inner {
                Self::And(_) | Self::Or(_) => write!(f, "not ({inner})"),
                _ => write!(f, "not {inner}"),
            },
            Self::Compare { path, comparison, value } => write!(f, "{path} {} {value}", comparison.as_str()),
            Self::In { path, values } => {
                write!(f, "{path} in [")?;
                for (position, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if position == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Contains { path, text } => write!(f, "{path} contains {}", Literal::Text(text.clone())),
            Self::Exists { path } => write!(f, "exists({path})"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Filter], word: &str) -> fmt::Result {
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            f.write_str(word)?;
        }
        match part {
            Filter::And(_) | Filter::Or(_) => write!(f, "({part})")?,
            _ => write!(f, "{part}")?,
        }
    }
    Ok(())
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn path() -> impl Strategy<Value = Path> {
        ("f_[a-z0-9_]{0,5}", proptest::option::of("a_[a-z]{0,4}")).prop_map(|(field, attribute)| Path { field, attribute })
    }

    fn literal() -> impl Strategy<Value = Literal> {
        prop_oneof![
            any::<bool>().prop_map(Literal::Bool),
            any::<i64>().prop_map(Literal::Int),
            any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Literal::Float),
            ".{0,8}".prop_map(Literal::Text),
        ]
    }

    fn comparison() -> impl Strategy<Value = Comparison> {
        use Comparison::*;
        proptest::sample::select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual])
    }

    fn filter() -> impl Strategy<Value = Filter> {
        let leaf = prop_oneof![
            (path(), comparison(), literal()).prop_map(|(path, comparison, value)| Filter::Compare { path, comparison, value }),
            (path(), proptest::collection::vec(literal(), 1..4)).prop_map(|(path, values)| Filter::In { path, values }),
            (path(), ".{0,8}").prop_map(|(path, text)| Filter::Contains { path, text }),
            path().prop_map(|path| Filter::Exists { path }),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
                inner.prop_map(|filter| Filter::Not(Box::new(filter))),
            ]
        })
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(filter in filter()) {
            let text = filter.to_string();
            let back: Filter = text.parse().map_err(|error: Error| TestCaseError::fail(format!("{text}: {error}")))?;
            prop_assert_eq!(back, filter);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = text.parse::<Filter>();
        }
    }

    #[test]
    fn words_bind_as_in_logic() {
        let filter: Filter = "not a == 1 and b < 2 or c exists".parse().unwrap();
        assert_eq!(filter.to_string(), "(not a == 1 and b < 2) or exists(c)");
    }

    #[test]
    fn errors_point_at_the_column() {
        let error = "ground_truth.label = \"dog\"".parse::<Filter>().unwrap_err();
        assert!(error.message().contains("column 20"), "{error}");
        assert!(error.message().contains("\n  ground_truth.label = \"dog\"\n  -------------------^"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("==")));
        for (text, column) in [("a ==", 5), ("a == 1 b", 8), ("(a == 1", 8), ("a in []", 7), ("\"x\" == a", 1), ("a == \"x", 6), ("", 1), ("a", 2)] {
            let error = text.parse::<Filter>().unwrap_err();
            assert!(error.message().contains(&format!("column {column}:")), "{text}: {error}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}a == 1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(deep.parse::<Filter>().unwrap_err().message().contains("nested"));
        assert!(format!("{}a == 1", "not ".repeat(10_000)).parse::<Filter>().is_err());
        // `not in` is a level more when it is printed, and so are the parentheses around an `and` within an `or`.
        for (open, inner, close) in [("not ", "a not in [1]", ""), ("not (", "a == 1 and b == 2 or c == 3", ")")] {
            let parsed = (1..80).map_while(|count| format!("{}{inner}{}", open.repeat(count), close.repeat(count)).parse::<Filter>().ok());
            let printed: Vec<_> = parsed.map(|filter| filter.to_string().parse().is_ok_and(|again: Filter| again == filter)).collect();
            assert!(printed.len() > 25 && printed.iter().all(|same| *same), "{printed:?}");
        }
    }
}
