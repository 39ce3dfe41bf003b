//! A small tokenizer of each kind, in the form that the published models have.

use serde_json::{Value, json};

use super::*;

fn tokenizer(json: &Value, context: usize, padding: Padding) -> Tokenizer {
    let spec = TokenizerSpec { file: "tokenizer.json".into(), context, padding, pad_id: 0, lowercase: false };
    Tokenizer::new(json.to_string().as_bytes(), &spec, "tokenizer.json").unwrap()
}

fn ids(tokenizer: &Tokenizer, sentence: &str) -> Vec<i64> {
    tokenizer.encode(sentence, None).unwrap().ids
}

/// As BERT and its kin have it; the file says another length and padding than the manifest.
fn word_piece() -> Value {
    json!({
        "version": "1.0", "added_tokens": [],
        "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "pair": [],
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}},
        },
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "dog": 5, "##s": 6, "!": 7},
        },
    })
}

/// As CLIP has it.
fn byte_pairs() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "decoder": null,
        "added_tokens": [
            {"id": 8, "content": "<|startoftext|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": true},
            {"id": 9, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
        ],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "behavior": "Removed", "invert": true,
             "pattern": {"Regex": "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"}},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 9], "cls": ["<|startoftext|>", 8], "trim_offsets": false, "add_prefix_space": false},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<|endoftext|>", "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": {"a</w>": 0, "d": 1, "o": 2, "g</w>": 3, "do": 4, "dog</w>": 5, "g": 6, "s</w>": 7, "<|startoftext|>": 8, "<|endoftext|>": 9},
            "merges": [["d", "o"], ["do", "g</w>"]],
        },
    })
}

/// As SigLIP and other SentencePiece models have it.
fn unigrams() -> Value {
    json!({
        "version": "1.0", "truncation": null, "padding": null, "decoder": null, "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "Strip", "strip_left": true, "strip_right": true}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true},
        "post_processor": {
            "type": "TemplateProcessing", "pair": [],
            "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
            "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}},
        },
        "model": {
            "type": "Unigram", "unk_id": 2, "byte_fallback": false,
            "vocab": [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["\u{2581}a", -2.0], ["\u{2581}dog", -3.0], ["s", -2.5], ["\u{2581}dogs", -9.0]],
        },
    })
}

#[test]
fn each_kind_of_tokenizer_is_built_in() {
    assert_eq!(ids(&tokenizer(&word_piece(), 16, Padding::None), "A dogs!"), [2, 4, 5, 6, 7, 3]);
    assert_eq!(ids(&tokenizer(&byte_pairs(), 77, Padding::None), "A  Dog"), [8, 0, 5, 9]);
    assert_eq!(ids(&tokenizer(&byte_pairs(), 77, Padding::None), "dogs"), [8, 4, 6, 7, 9]);
    // The likelier of the two ways to cut the word.
    assert_eq!(ids(&tokenizer(&unigrams(), 64, Padding::None), " A dogs "), [3, 4, 5, 1]);
}

#[test]
fn sentences_are_cut_to_the_context_and_keep_their_ends() {
    let long = tokenizer(&byte_pairs(), 4, Padding::None);
    assert_eq!(long.encode("a dog a dog a dog", None).unwrap(), Tokens { ids: vec![8, 0, 5, 9], count: 4 });
}

#[test]
fn padding_is_what_the_model_was_trained_with_or_what_its_graph_takes() {
    let padded = tokenizer(&byte_pairs(), 6, Padding::Context);
    assert_eq!(padded.encode("a dog", None).unwrap(), Tokens { ids: vec![8, 0, 5, 9, 0, 0], count: 4 });
    // CLIP finds the end by the largest id, and some runtimes take the last of equals: what comes behind it must be smaller.
    let graph_takes_seven = tokenizer(&byte_pairs(), 7, Padding::None).encode("a", Some(7)).unwrap();
    assert_eq!(graph_takes_seven, Tokens { ids: vec![8, 0, 9, 0, 0, 0, 0], count: 3 });
    let short = tokenizer(&byte_pairs(), 7, Padding::None).encode("a dog a dog", Some(4)).unwrap_err();
    assert!(short.message().contains("takes 4 tokens") && short.message().contains("context of 7"), "{short}");
}

#[test]
fn what_is_no_tokenizer_or_no_sentence_is_refused() {
    let spec = TokenizerSpec { file: "t".into(), context: 8, padding: Padding::None, pad_id: 0, lowercase: true };
    let broken = Tokenizer::new(b"{}", &spec, "m/tokenizer.json").err().unwrap();
    assert!(broken.message().starts_with("m/tokenizer.json is no tokenizer"), "{broken}");
    assert!(tokenizer(&word_piece(), 8, Padding::None).encode(" \n", None).is_err());
}
