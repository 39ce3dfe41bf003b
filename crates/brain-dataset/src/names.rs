//! Hints for names that do not exist.

/// How far a name may be from the one meant, as a share of all letters that agree, 0 to 1.
const ALIKE: f64 = 0.6;

/// How many names a hint lists.
const SHOWN: usize = 20;

/// `did you mean "weather"? it has weather, id, …`; `intro` leads the list.
pub(crate) fn did_you_mean(name: &str, known: &[&str], intro: &str) -> String {
    let alike = |candidate: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
    let nearest = known.iter().map(|candidate| (alike(candidate), candidate)).max_by(|(a, _), (b, _)| a.total_cmp(b));
    let guess = match nearest {
        Some((score, candidate)) if score >= ALIKE => format!("did you mean {candidate:?}? "),
        _ => String::new(),
    };
    let more = known.len().saturating_sub(SHOWN);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{guess}{intro} {}{rest}", known.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_guessed_and_the_list_is_bounded() {
        assert_eq!(did_you_mean("wether", &["id", "weather"], "it has"), "did you mean \"weather\"? it has id, weather");
        assert_eq!(did_you_mean("x", &["weather"], "it has"), "it has weather");
        let many: Vec<String> = (0..25).map(|number| format!("field_number_{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(did_you_mean("x", &many, "it has").ends_with("field_number_19 and 5 more"));
    }
}
