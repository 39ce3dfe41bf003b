//! Which programs a shell command starts, and with which words: enough of the shell for a README.

/// The programs started by a command line, each as its words; assignments before a program are left out.
///
/// Pipes, lists and `$(…)` are followed; quotes are removed; redirections end nothing and stay among the words.
pub(crate) fn invocations(command: &str) -> Vec<Vec<String>> {
    let mut reader = Reader::default();
    let mut chars = command.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('\''), c) if c != '\'' => reader.letter(c),
            (Some(open), c) if c == open => quote = None,
            (_, '$') if chars.peek() == Some(&'(') => {
                chars.next();
                // Quotes begin anew inside; the enclosing ones come back with the closing bracket.
                reader.enter(quote.take());
            }
            (None, ')') => quote = reader.leave(),
            (_, '\\') => match chars.next() {
                None | Some('\n') => {}
                Some(c) => reader.letter(c),
            },
            (Some(_), c) => reader.letter(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, '|' | ';' | '&' | '\n') => reader.end_invocation(),
            (None, '#') if reader.between_words() => while chars.next_if(|&c| c != '\n').is_some() {},
            (None, c) if c.is_whitespace() => reader.end_word(),
            (None, c) => reader.letter(c),
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    done: Vec<Vec<String>>,
    words: Vec<String>,
    word: String,
    /// The invocations around a `$(…)`, each with the quote it stood in.
    enclosing: Vec<(Vec<String>, String, Option<char>)>,
}

impl Reader {
    fn letter(&mut self, c: char) {
        self.word.push(c);
    }

    fn between_words(&self) -> bool {
        self.word.is_empty()
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        let assignment = self.words.is_empty() && word.split_once('=').is_some_and(|(name, _)| is_variable(name));
        if !word.is_empty() && !assignment {
            self.words.push(word);
        }
    }

    fn end_invocation(&mut self) {
        self.end_word();
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() {
            self.done.push(words);
        }
    }

    fn enter(&mut self, quote: Option<char>) {
        self.enclosing.push((std::mem::take(&mut self.words), std::mem::take(&mut self.word), quote));
    }

    fn leave(&mut self) -> Option<char> {
        self.end_invocation();
        let (words, word, quote) = self.enclosing.pop().unwrap_or_default();
        (self.words, self.word) = (words, word + "…");
        quote
    }

    fn finish(mut self) -> Vec<Vec<String>> {
        while !self.enclosing.is_empty() {
            self.leave();
        }
        self.end_invocation();
        self.done
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_words(command: &str, expected: &[&[&str]]) {
        assert_eq!(invocations(command), expected, "{command}");
    }

    #[test]
    fn words_quotes_and_continuations() {
        assert_words("brain runs \\\n  list", &[&["brain", "runs", "list"]]);
        assert_words("brain x --match 'label == \"dog\"' \"a b\"", &[&["brain", "x", "--match", "label == \"dog\"", "a b"]]);
        assert_words("A=1 B='x y' brain config show # why", &[&["brain", "config", "show"]]);
    }

    #[test]
    fn pipes_lists_and_substitutions_start_programs() {
        assert_words("cd photos && brain runs list | head -3; ls", &[&["cd", "photos"], &["brain", "runs", "list"], &["head", "-3"], &["ls"]]);
        assert_words(
            "brain x --id \"$(brain y --json | jq -r '.[0]')\" -k 5",
            &[&["brain", "y", "--json"], &["jq", "-r", ".[0]"], &["brain", "x", "--id", "…", "-k", "5"]],
        );
    }
}
