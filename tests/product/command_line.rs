//! The `brain` program as a user runs it.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

use crate::home::{Home, photos};

/// The program: the one that `cargo xtask test` has built and names; else it is built, once.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("BRAIN_PROGRAM") {
            return program.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo).args(["build", "--quiet", "--package", "brain-cli"]).status().unwrap();
        assert!(built.success(), "brain-cli does not build");
        // This test lies in <target>/<profile>/deps.
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().parent().unwrap().join(format!("brain{}", std::env::consts::EXE_SUFFIX))
    })
}

impl Home {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(arguments).env_clear().env("HOME", self.folder.path()).env("FIFTYONE_BRAIN_HOME", self.path()).envs(self.variables());
        // Where ONNX Runtime is.
        command.envs(std::env::var_os("ORT_DYLIB_PATH").map(|library| ("ORT_DYLIB_PATH", library))).current_dir(self.folder.path());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command that must succeed prints.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "brain {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        serde_json::from_str(&self.says(&all)).unwrap()
    }

    /// The exit code of a command that must fail, and what it prints to stderr; stdout stays empty.
    pub(crate) fn refuses(&self, arguments: &[&str]) -> (i32, String) {
        refusal(self.output(arguments))
    }
}

fn refusal(output: Output) -> (i32, String) {
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked") && !stderr.contains("RUST_BACKTRACE"), "{stderr}");
    (output.status.code().unwrap(), stderr)
}

#[test]
fn a_session_from_import_to_delete() {
    let home = Home::new();
    let photos = photos();
    home.says(&["dataset", "import", "photos", photos.to_str().unwrap(), "--format", "classification-dir"]);
    let info = home.json(&["dataset", "info", "photos"]);
    assert_eq!(info["samples"], 200);

    let plan = home.json(&["compute-similarity", "photos", "--brain-key", "img_sim", "--dry-run"]);
    assert_eq!((plan["total"].as_u64(), plan["dimension"].as_u64()), (Some(200), Some(1280)));
    assert!(home.json(&["runs", "list", "photos"]).to_string().len() < 20, "a dry run writes nothing");
    home.says(&["compute-similarity", "photos", "--brain-key", "img_sim", "--match", "ground_truth.label in [\"cat\", \"dog\"]"]);

    let cat = photos.join("cat/cat-003.jpg");
    let sorted = home.json(&["sort-by-similarity", "photos", "--brain-key", "img_sim", "--image", cat.to_str().unwrap(), "-k", "5"]);
    let results = sorted["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    assert_eq!(results[0]["rank"], 1);
    assert!(results[0]["filepath"].as_str().unwrap().ends_with("cat-003.jpg"));
    for key in ["requested", "returned", "missing", "exact", "route", "reason", "elapsed_ms"] {
        assert!(!sorted["report"][key].is_null(), "{key}: {sorted}");
    }
    assert_eq!(sorted["report"]["exact"], true);

    let id = results[0]["id"].as_str().unwrap();
    let dogs = ["--match", "ground_truth.label == \"dog\"", "--reverse", "--explain"];
    let mut arguments = vec!["sort-by-similarity", "photos", "--brain-key", "img_sim", "--id", id, "-k", "3"];
    arguments.extend(dogs);
    let table = home.says(&arguments);
    assert!(table.contains("dog-") && !table.contains("cat-0"), "{table}");

    let npy = home.folder.path().join("e.npy");
    home.says(&["get-embeddings", "photos", "--brain-key", "img_sim", "--out", npy.to_str().unwrap(), "--ids-out", "ids.txt"]);
    let matrix = brain::npy::NpyReader::open(&npy).unwrap();
    assert_eq!((matrix.rows(), matrix.dimension()), (40, 1280));
    home.says(&["remove-from-index", "photos", "--brain-key", "img_sim", "--ids", "ids.txt"]);
    home.says(&["add-to-index", "photos", "--brain-key", "img_sim", "--embeddings", npy.to_str().unwrap(), "--ids", "ids.txt"]);
    assert_eq!(home.json(&["index", "info", "photos", "--brain-key", "img_sim"])["items"], 40);

    home.says(&["runs", "rename", "photos", "img_sim", "other"]);
    assert_eq!(home.json(&["runs", "info", "photos", "other"])["state"], "complete");
    home.says(&["index", "cleanup", "photos", "--brain-key", "other"]);
    home.says(&["runs", "delete", "photos", "other"]);
    home.says(&["dataset", "delete", "photos"]);
    assert_eq!(home.json(&["dataset", "list"]), serde_json::json!([]));
}

#[test]
fn quickstart_twice() {
    let home = Home::new();
    let first = home.says(&["quickstart"]);
    assert!(first.contains("contact-sheet.png"), "{first}");
    let sheet = home.path().join("quickstart/contact-sheet.png");
    assert!(std::fs::read(&sheet).unwrap().starts_with(b"\x89PNG"));
    let second = home.says(&["quickstart"]);
    assert!(second.contains("already"), "{second}");
    assert_eq!(home.json(&["dataset", "info", "quickstart-scenes"])["samples"], 60);
}

#[test]
fn exit_codes_and_hints() {
    let home = Home::new();
    let (code, usage) = home.refuses(&["sort-by-similarity"]);
    assert_eq!(code, 2);
    assert!(usage.contains("Usage"), "{usage}");
    let (code, missing) = home.refuses(&["runs", "list", "nothing"]);
    assert_eq!(code, 1);
    assert!(missing.contains("\"nothing\" does not exist") && missing.contains("hint"), "{missing}");
    home.says(&["dataset", "import", "photos", photos().to_str().unwrap()]);
    let (code, filter) = home.refuses(&["dataset", "samples", "photos", "--match", "ground_truth.label = \"dog\""]);
    assert!((code == 1 || code == 2) && filter.contains("column 20") && filter.contains('^'), "{filter}");
    let (code, wrong) = home.refuses(&["compute-similarity", "photos", "--brain-key", "2nd"]);
    assert_eq!(code, 1);
    assert!(wrong.contains("2nd"), "{wrong}");
}

#[test]
fn configuration_says_where_each_value_comes_from() {
    let home = Home::new();
    let file = home.file("config.json", r#"{"similarity_backends": {"local": {"metric": "l1"}, "qdrant": {"url": "secret"}}}"#);
    let config = ["--config", file.to_str().unwrap()];
    let shown = home.says(&["config", "show", "--origin", config[0], config[1]]);
    assert!(shown.contains("l1") && shown.contains("config.json") && shown.contains("FIFTYONE_BRAIN_HOME"), "{shown}");
    let checked = home.says(&["config", "check", config[0], config[1]]);
    assert!(checked.contains("qdrant") && !checked.contains("secret"), "{checked}");

    let unknown = home.file("unknown.json", r#"{"similarity_backends": {"local": {"metrik": "l1"}}}"#);
    let (code, error) = home.refuses(&["config", "show", "--config", unknown.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(error.contains("metrik") && error.contains("unknown.json"), "{error}");
    let wrong = home.command(&["config", "show"]).env("FIFTYONE_BRAIN_SIMILARITY_LOCAL_METRIC", "7").output().unwrap();
    let (code, error) = refusal(wrong);
    assert_eq!(code, 1);
    assert!(error.contains("FIFTYONE_BRAIN_SIMILARITY_LOCAL_METRIC") && error.contains("\"7\""), "{error}");
}

#[test]
fn backends_say_whether_they_answer_and_give_no_password_away() {
    let home = Home::new();
    let server = brain_testkit::services::redis();
    let wrong = server.url().replace(&server.password, "hunter2");
    for (url, ready) in [(server.url(), true), (wrong, false)] {
        let output = home.command(&["backends", "--json"]).env("FIFTYONE_BRAIN_SIMILARITY_REDIS_URL", &url).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("hunter2") && !said.contains(&server.password), "{said}");
        let backends: Value = serde_json::from_slice(&output.stdout).unwrap();
        let redis = backends.as_array().unwrap().iter().find(|backend| backend["name"] == "redis").unwrap();
        assert_eq!(redis["ready"], ready, "{redis}");
        assert_eq!(redis["capabilities"]["metrics"], serde_json::json!(["cosine", "dotproduct", "euclidean"]));
        if !ready {
            assert_eq!(redis["error"]["kind"], "Auth", "{redis}");
        }
    }
}

#[test]
fn a_home_that_cannot_be_written_to_is_refused_with_its_remedy() {
    let home = Home::new();
    let file = home.file("file", "");
    let blocked = file.join("home");
    let (code, error) = home.refuses(&["dataset", "list", "--home", blocked.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(error.contains("file/home"), "{error}");
}

#[test]
fn a_full_disk_is_named_and_loses_nothing() {
    let home = Home::new();
    // Every write to this device fails as on a full disk.
    let full = std::path::Path::new("/dev/full");
    if cfg!(target_os = "linux") {
        assert!(full.exists(), "/dev/full is part of every Linux");
        home.says(&["dataset", "import", "photos", photos().to_str().unwrap()]);
        let output = home.command(&["dataset", "samples", "photos", "--json"]).stdout(std::fs::File::create(full).unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
