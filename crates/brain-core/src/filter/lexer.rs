//! Cuts a filter's text into tokens, each with the column where it begins.

use super::syntax_error::SyntaxError;
use super::{Comparison, Literal};

/// A word or sign of the language.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Literal(Literal),
    Comparison(Comparison),
    And,
    Or,
    Not,
    In,
    Contains,
    Exists,
    Dot,
    Comma,
    Open,
    Close,
    OpenList,
    CloseList,
    End,
}

/// A token and the column of its first character, from 1.
#[derive(Clone, Debug)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) column: usize,
}

/// The tokens of `text`, the last one [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Spanned>, SyntaxError> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        if character.is_whitespace() {
            at += 1;
            continue;
        }
        let (token, length) = next(&characters[at..]).map_err(|error| error.at(at + 1))?;
        tokens.push(Spanned { token, column: at + 1 });
        at += length;
    }
    tokens.push(Spanned { token: Token::End, column: characters.len() + 1 });
    Ok(tokens)
}

fn next(rest: &[char]) -> Result<(Token, usize), SyntaxError> {
    let second = rest.get(1);
    let token = match rest[0] {
        '(' => Token::Open,
        ')' => Token::Close,
        '[' => Token::OpenList,
        ']' => Token::CloseList,
        ',' => Token::Comma,
        '.' => Token::Dot,
        '=' if second == Some(&'=') => return Ok((Token::Comparison(Comparison::Equal), 2)),
        '!' if second == Some(&'=') => return Ok((Token::Comparison(Comparison::NotEqual), 2)),
        '<' if second == Some(&'=') => return Ok((Token::Comparison(Comparison::LessOrEqual), 2)),
        '>' if second == Some(&'=') => return Ok((Token::Comparison(Comparison::GreaterOrEqual), 2)),
        '<' => Token::Comparison(Comparison::Less),
        '>' => Token::Comparison(Comparison::Greater),
        '=' => return Err(SyntaxError::new("a single \"=\" does not compare").hint("write == to compare for equality")),
        quote @ ('"' | '\'') => return quoted(rest, quote),
        '0'..='9' | '-' | '+' => return number(rest),
        first if first.is_alphabetic() || first == '_' => return Ok(word(rest)),
        other => return Err(SyntaxError::new(format!("{other:?} has no meaning here"))),
    };
    Ok((token, 1))
}

fn word(rest: &[char]) -> (Token, usize) {
    let word: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
    let length = word.chars().count();
    let token = match word.as_str() {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        "in" => Token::In,
        "contains" => Token::Contains,
        "exists" => Token::Exists,
        "true" => Token::Literal(Literal::Bool(true)),
        "false" => Token::Literal(Literal::Bool(false)),
        _ => Token::Name(word),
    };
    (token, length)
}

fn number(rest: &[char]) -> Result<(Token, usize), SyntaxError> {
    let mut previous = ' ';
    let text: String = rest
        .iter()
        .take_while(|&&character| {
            // A sign belongs to the number only at its start and right after the exponent's e.
            let part =
                character.is_ascii_alphanumeric() || character == '.' || (matches!(character, '+' | '-') && matches!(previous, ' ' | 'e' | 'E'));
            previous = character;
            part
        })
        .collect();
    let literal = match text.parse::<i64>() {
        Ok(whole) => Literal::Int(whole),
        Err(_) => match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Literal::Float(value),
            _ => return Err(SyntaxError::new(format!("{text:?} is no number"))),
        },
    };
    Ok((Token::Literal(literal), text.chars().count()))
}

fn quoted(rest: &[char], quote: char) -> Result<(Token, usize), SyntaxError> {
    let mut text = String::new();
    let mut at = 1;
    while let Some(&character) = rest.get(at) {
        match character {
            '\\' => {
                text.push(match rest.get(at + 1) {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(&escaped @ ('\\' | '"' | '\'')) => escaped,
                    _ => return Err(SyntaxError::new("a backslash in a text stands before \\, \", ', n or t").hint("write \\\\ for one backslash")),
                });
                at += 2;
            }
            end if end == quote => return Ok((Token::Literal(Literal::Text(text)), at + 1)),
            other => {
                text.push(other);
                at += 1;
            }
        }
    }
    Err(SyntaxError::new(format!("this text is not closed by {quote}")))
}
