//! Telling code from comments and literals, so that a rule about code is not tripped by a sentence about it.

/// The source with every comment, string and character literal blanked; lines and columns stay where they are.
pub(crate) fn code_only(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            code.push(chars[at]);
            at += 1;
        } else {
            code.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// The lines, counted from 1, in which `name` stands as a whole identifier that is followed by `suffix`.
pub(crate) fn lines_with(code: &str, name: &str, suffix: &str) -> Vec<usize> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let stands_in = |line: &str| {
        line.match_indices(name).any(|(start, _)| {
            let rest = &line[start + name.len()..];
            !line[..start].ends_with(is_name) && !rest.starts_with(is_name) && rest.trim_start().starts_with(suffix)
        })
    };
    (1..).zip(code.lines()).filter(|(_, line)| stands_in(line)).map(|(number, _)| number).collect()
}

/// Where the comment or literal that starts at `at` ends; `at` itself where none starts.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1);
    match chars[at] {
        '/' if next == Some(&'/') => chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length),
        '/' if next == Some(&'*') => block_comment_end(chars, at),
        '"' => quoted_end(chars, at),
        '\'' => character_end(chars, at),
        'r' if !in_name(chars, at) => raw_string_end(chars, at),
        _ => at,
    }
}

/// Whether the character belongs to a longer name; the prefixes of `br"…"` and `cr"…"` are no names.
fn in_name(chars: &[char], at: usize) -> bool {
    let is_name = |index: usize| chars[index].is_alphanumeric() || chars[index] == '_';
    match at {
        0 => false,
        _ if matches!(chars[at - 1], 'b' | 'c') => at > 1 && is_name(at - 2),
        _ => is_name(at - 1),
    }
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut depth, mut end) = (0, at);
    while end < chars.len() {
        match (chars[end], chars.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            return end;
        }
    }
    chars.len()
}

fn quoted_end(chars: &[char], at: usize) -> usize {
    let quote = chars[at];
    let mut end = at + 1;
    while end < chars.len() && chars[end] != quote {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

/// A character literal, or nothing where the quote begins a lifetime or a label.
fn character_end(chars: &[char], at: usize) -> usize {
    let escaped = chars.get(at + 1) == Some(&'\\');
    if escaped || chars.get(at + 2) == Some(&'\'') { quoted_end(chars, at) } else { at }
}

fn raw_string_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes = |quote: &usize| chars[*quote] == '"' && chars[quote + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |quote| quote + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        for hidden in [
            "// word",
            "/* a /* nested word */ word */",
            "\"word \\\" word\"",
            "r#\"word \" word\"#",
            "br\"word\"",
            "\"two\nlines word\"",
            "'\\'' /* word */",
            "'\"' // word",
        ] {
            let code = code_only(&format!("before({hidden}\n);after()"));
            assert!(!code.contains("word"), "{hidden}: {code:?}");
            assert!(code.contains("before(") && code.contains(";after()"), "{hidden}: {code:?}");
            assert_eq!(code.lines().count(), 2 + hidden.matches('\n').count(), "{hidden}");
        }
    }

    #[test]
    fn lifetimes_labels_and_raw_names_are_code() {
        for code in ["fn f<'a>(x: &'a str) -> &'a str { x }", "'outer: loop { break 'outer; }", "let r#type = for_r; bar\n"] {
            assert_eq!(code_only(code), code);
        }
    }

    #[test]
    fn names_are_found_whole_and_with_what_follows() {
        let code = "a(word!());\nwordy!(); my_word!();\nlet word = 1;\nword !()";
        assert_eq!(lines_with(code, "word", "!"), [1, 4]);
        assert_eq!(lines_with(code, "word", ""), [1, 3, 4]);
    }
}
