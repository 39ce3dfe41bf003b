//! Counts with their nouns.

use brain::core::ItemKind;

/// `1 sample`, `2 samples`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `1 sample`, `2 patches`.
pub(crate) fn items(kind: ItemKind, count: u64) -> String {
    match kind {
        ItemKind::Samples => counted(count, "sample", "samples"),
        ItemKind::Patches => counted(count, "patch", "patches"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(0, "patch", "patches"), "0 patches");
        assert_eq!(counted(1, "patch", "patches"), "1 patch");
        assert_eq!(counted(2, "patch", "patches"), "2 patches");
    }
}
