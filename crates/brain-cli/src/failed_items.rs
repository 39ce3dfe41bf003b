//! What could not be embedded, told to people.

use std::io;

use brain::Failure;

use crate::output::Output;

/// How many are shown, unless more is to be said.
const SHOWN: usize = 10;

/// Prints the first of the items that failed, with their reasons, and how many more there are.
pub(crate) fn print(output: &mut Output, failures: &[Failure]) -> io::Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let shown = if output.is_verbose() { failures.len() } else { SHOWN };
    output.line(format_args!("could not be embedded and left out: {}", failures.len()))?;
    for failure in failures.iter().take(shown) {
        output.line(in_words(failure))?;
    }
    match failures.len().saturating_sub(shown) {
        0 => Ok(()),
        more => output.line(format_args!("  and {more} more; -v shows all")),
    }
}

fn in_words(failure: &Failure) -> String {
    let named = failure.message.contains(&failure.filepath);
    let place = if named { failure.id.to_string() } else { format!("{} {}", failure.id, failure.filepath) };
    format!("  {place}: {}", failure.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_once() {
        let failure = |message: &str| Failure { id: "a".into(), filepath: "/x.jpg".into(), message: message.into() };
        assert_eq!(in_words(&failure("it is cut off")), "  a /x.jpg: it is cut off");
        assert_eq!(in_words(&failure("/x.jpg is cut off")), "  a: /x.jpg is cut off");
    }
}
