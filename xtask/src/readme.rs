//! Reading the README as a user would: its fenced blocks, and the commands in them.
//!
//! A block that is opened as ```` ```console ```` or ```` ```sh ```` holds commands in the lines that begin with `$ `. A command
//! goes on in the next line after a trailing backslash, or in lines that begin with `> `. Everything else is output.
//! Blocks opened as ```` ```console ```` are run by `cargo xtask ci`; those opened as ```` ```console,norun ```` are not.

/// One command of a block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// The line of the README it begins in, counted from 1.
    pub(crate) line: usize,
    /// The command without its prompt; several lines where it goes on.
    pub(crate) text: String,
    /// Whether `cargo xtask ci` runs it.
    pub(crate) runs: bool,
}

/// Every command of every shell block, in order.
pub(crate) fn commands(markdown: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    // The info string of the open block, and whether its last line was part of a command.
    let (mut block, mut in_command) = (None, false);
    for (line, text) in (1..).zip(markdown.lines()) {
        let Some(info) = block else {
            block = text.trim().strip_prefix("```").map(str::trim);
            continue;
        };
        if text.trim() == "```" {
            (block, in_command) = (None, false);
        } else if !is_shell(info) {
            continue;
        } else if let Some(text) = text.strip_prefix("$ ") {
            commands.push(Command { line, text: text.to_owned(), runs: info == "console" });
            in_command = true;
        } else if let Some(command) = commands.last_mut().filter(|command| in_command && goes_on(&command.text, text)) {
            command.text.push('\n');
            command.text.push_str(text.strip_prefix("> ").unwrap_or(text));
        } else {
            in_command = false;
        }
    }
    commands
}

fn is_shell(info: &str) -> bool {
    matches!(info.split(',').next().map(str::trim), Some("console" | "sh"))
}

fn goes_on(command: &str, line: &str) -> bool {
    command.ends_with('\\') || line.starts_with("> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_output_prose_and_other_blocks() {
        let readme = "\
$ prose
```console
$ brain quickstart
200 photos
> an output line
$ brain sort-by-similarity quickstart \\
    --brain-key img_sim
$ cat <<END
> one
> END
```
```rust
$ not a shell
```
```console,norun
$ git clone somewhere
```
```sh
$ brain backends
```
";
        let command = |line, text: &str, runs| Command { line, text: text.to_owned(), runs };
        assert_eq!(
            commands(readme),
            [
                command(3, "brain quickstart", true),
                command(6, "brain sort-by-similarity quickstart \\\n    --brain-key img_sim", true),
                command(8, "cat <<END\none\nEND", true),
                command(16, "git clone somewhere", false),
                command(19, "brain backends", false),
            ]
        );
    }
}
