//! Reads tokens into a [`Filter`]: one function a level of binding.

use super::lexer::{Spanned, Token, tokens};
use super::syntax_error::SyntaxError;
use super::{Comparison, Filter, Literal, Path};
use crate::Error;

/// How deep parentheses and `not` may nest, and how deep the filter that they make may be: the stacks of the parser and of those who walk a filter are
/// the reason. A filter prints with no more levels than it is deep, so that what was parsed parses again after it was printed.
const DEEPEST: usize = 64;

pub(super) fn parse(text: &str) -> Result<Filter, Error> {
    let read = || {
        let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
        let filter = parser.either()?;
        match parser.peek() {
            Token::End if depth(&filter) > DEEPEST => Err(too_deep(1)),
            Token::End => Ok(filter),
            _ => Err(parser.expected("\"and\", \"or\" or the end")),
        }
    };
    read().map_err(|error: SyntaxError| error.into_error(text))
}

fn too_deep(column: usize) -> SyntaxError {
    SyntaxError::new(format!("the filter is nested more than {DEEPEST} levels deep")).at(column)
}

/// Levels of a filter; a condition is one.
fn depth(filter: &Filter) -> usize {
    1 + match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(depth).max().unwrap_or_default(),
        Filter::Not(inner) => depth(inner),
        _ => 0,
    }
}

struct Parser {
    tokens: Vec<Spanned>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].token.clone();
        // The last token is the end; it is never passed.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn accept(&mut self, token: &Token) -> bool {
        let is_next = self.peek() == token;
        if is_next {
            self.advance();
        }
        is_next
    }

    fn expect(&mut self, token: &Token, what: &str) -> Result<(), SyntaxError> {
        if self.accept(token) { Ok(()) } else { Err(self.expected(what)) }
    }

    fn expected(&self, what: &str) -> SyntaxError {
        let found = match self.peek() {
            Token::End => "the filter ends".to_owned(),
            Token::Name(name) => format!("{name:?} stands here"),
            Token::Literal(literal) => format!("{literal} stands here"),
            _ => "something else stands here".to_owned(),
        };
        SyntaxError::new(format!("expected {what}, but {found}")).at(self.tokens[self.at].column)
    }

    fn either(&mut self) -> Result<Filter, SyntaxError> {
        let mut parts = vec![self.both()?];
        while self.accept(&Token::Or) {
            parts.push(self.both()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
    }

    fn both(&mut self) -> Result<Filter, SyntaxError> {
        let mut parts = vec![self.negation()?];
        while self.accept(&Token::And) {
            parts.push(self.negation()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
    }

    fn negation(&mut self) -> Result<Filter, SyntaxError> {
        if self.depth == DEEPEST {
            return Err(too_deep(self.tokens[self.at].column));
        }
        self.depth += 1;
        let filter = if self.accept(&Token::Not) {
            Filter::Not(Box::new(self.negation()?))
        } else if self.accept(&Token::Open) {
            let inner = self.either()?;
            self.expect(&Token::Close, "\")\"")?;
            inner
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn condition(&mut self) -> Result<Filter, SyntaxError> {
        if self.accept(&Token::Exists) {
            self.expect(&Token::Open, "\"(\" after exists")?;
            let path = self.path()?;
            self.expect(&Token::Close, "\")\"")?;
            return Ok(Filter::Exists { path });
        }
        let path = self.path()?;
        match self.peek() {
            Token::Comparison(comparison) => {
                let comparison: Comparison = *comparison;
                self.advance();
                Ok(Filter::Compare { path, comparison, value: self.literal()? })
            }
            Token::In => {
                self.advance();
                self.list(path)
            }
            Token::Not => {
                self.advance();
                self.expect(&Token::In, "\"in\" after not")?;
                Ok(Filter::Not(Box::new(self.list(path)?)))
            }
            Token::Contains => {
                self.advance();
                match self.advance() {
                    Token::Literal(Literal::Text(text)) => Ok(Filter::Contains { path, text }),
                    _ => {
                        self.at = self.at.saturating_sub(1);
                        Err(self.expected("a text in quotes after contains"))
                    }
                }
            }
            Token::Exists => {
                self.advance();
                Ok(Filter::Exists { path })
            }
            _ => Err(self.expected("a comparison (==, !=, <, <=, >, >=), in, contains or exists")),
        }
    }

    fn list(&mut self, path: Path) -> Result<Filter, SyntaxError> {
        self.expect(&Token::OpenList, "\"[\" after in")?;
        let mut values = vec![self.literal()?];
        while self.accept(&Token::Comma) {
            values.push(self.literal()?);
        }
        self.expect(&Token::CloseList, "\",\" or \"]\"")?;
        Ok(Filter::In { path, values })
    }

    fn path(&mut self) -> Result<Path, SyntaxError> {
        let field = self.name("the name of a field")?;
        let attribute = if self.accept(&Token::Dot) { Some(self.name("an attribute after the point")?) } else { None };
        Ok(Path { field, attribute })
    }

    fn name(&mut self, what: &str) -> Result<String, SyntaxError> {
        match self.peek() {
            Token::Name(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.expected(what)),
        }
    }

    fn literal(&mut self) -> Result<Literal, SyntaxError> {
        match self.peek() {
            Token::Literal(literal) => {
                let literal = literal.clone();
                self.advance();
                Ok(literal)
            }
            Token::Name(_) => Err(self.expected("a number, true, false or a text in quotes").hint("put text in quotes: \"dog\"")),
            _ => Err(self.expected("a number, true, false or a text in quotes")),
        }
    }
}
