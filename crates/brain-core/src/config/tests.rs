use super::*;
use crate::ErrorKind;

const BACKENDS_HERE: &[BackendDeclaration] = &[
    BackendDeclaration {
        name: "local",
        aliases: &["sklearn"],
        parameters: &[
            Parameter { name: "metric", kind: ParameterKind::Choice(&["cosine", "l1"]), default: Some("cosine"), about: "" },
            Parameter { name: "threads", kind: ParameterKind::Integer, default: None, about: "" },
        ],
    },
    BackendDeclaration {
        name: "server",
        aliases: &[],
        parameters: &[
            Parameter { name: "connection_string", kind: ParameterKind::Secret, default: None, about: "" },
            Parameter { name: "password", kind: ParameterKind::Secret, default: None, about: "" },
            Parameter { name: "table_name", kind: ParameterKind::Text, default: None, about: "" },
            Parameter { name: "port", kind: ParameterKind::Integer, default: Some("6379"), about: "" },
        ],
    },
];

struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn with_file(json: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.json"), json).unwrap();
        Self { folder }
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Config> {
        let file = Some(self.folder.path().join("c.json"));
        let environment = variables.iter().copied().collect();
        Config::load(&Sources { file, home: Some("/data".into()), environment }, BACKENDS_HERE)
    }
}

#[test]
fn arguments_beat_environment_beats_file_beats_default() {
    let home = Home::with_file(r#"{"similarity_backends": {"server": {"port": 1, "table_name": "from_file"}}}"#);
    let config = home.load(&[("FIFTYONE_BRAIN_SIMILARITY_SERVER_PORT", "2")]).unwrap();
    let by = |arguments: &[(String, String)]| config.parameters("server", arguments).unwrap();
    assert_eq!(by(&[("port".into(), "3".into())]).integer("port"), Some(3));
    assert_eq!(by(&[]).integer("port"), Some(2));
    assert_eq!(by(&[]).text("table_name"), Some("from_file"));
    assert!(by(&[]).origin("table_name").unwrap().ends_with("c.json"));
    assert_eq!(config.parameters("local", &[]).unwrap().origin("metric"), Some("the built-in default"));
}

#[test]
fn a_value_is_read_by_its_parameters_type() {
    let home = Home::with_file("{}");
    let config =
        home.load(&[("FIFTYONE_BRAIN_SIMILARITY_SERVER_PASSWORD", "007"), ("FIFTYONE_BRAIN_SIMILARITY_SERVER_TABLE_NAME", "a,b,[c]")]).unwrap();
    let parameters = config.parameters("server", &[]).unwrap();
    assert!(matches!(parameters.get("password"), Some(ParameterValue::Secret(secret)) if secret.expose() == "007"));
    assert_eq!(parameters.text("table_name"), Some("a,b,[c]"));
}

#[test]
fn credentials_are_never_shown_nor_stored() {
    let home = Home::with_file(r#"{"similarity_backends": {"server": {"connection_string": "postgres://u:hunter2@h/d"}}}"#);
    let config = home.load(&[]).unwrap();
    let parameters = config.parameters("server", &[]).unwrap();
    let shown = format!("{config:?} {parameters:?} {:?} {:?}", config.settings().unwrap(), parameters.to_stored());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("[redacted]"));
    let wrong = Home::with_file(r#"{"similarity_backends": {"server": {"password": 12345}}}"#).load(&[]).unwrap_err();
    assert!(!format!("{wrong} {wrong:?}").contains("12345"));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let unknown = Home::with_file(r#"{"similarity_backends": {"local": {"metrik": "l1"}}}"#).load(&[]).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::Config);
    assert!(unknown.message().contains("metrik") && unknown.message().contains("c.json"), "{unknown}");
    assert!(unknown.hint().unwrap().contains("metric"));
    let variable = Home::with_file("{}").load(&[("FIFTYONE_BRAIN_SIMILARITY_LOCAL_THREADS", "many")]).unwrap_err();
    let message =
        "similarity_backends.local.threads from environment variable FIFTYONE_BRAIN_SIMILARITY_LOCAL_THREADS must be a whole number, not \"many\"";
    assert_eq!(variable.message(), message);
    let file = Home::with_file(r#"{"similarity_backends": {"local": {"threads": "4"}}}"#).load(&[]).unwrap_err();
    assert!(file.message().contains("must be a whole number, not the text \"4\""), "{file}");
    let broken = Home::with_file("{").load(&[]).unwrap_err();
    assert!(broken.message().contains("c.json"), "{broken}");
    let gone = Config::load(&Sources { file: Some("/nowhere.json".into()), ..Sources::default() }, BACKENDS_HERE).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[test]
fn the_default_backend_must_be_here_and_exposed() {
    let home = Home::with_file(r#"{"default_similarity_backend": "sklearn"}"#);
    assert_eq!(home.load(&[]).unwrap().default_backend(), "local");
    let other = home.load(&[(variables::DEFAULT_BACKEND, "qdrant")]).unwrap_err();
    assert!(other.message().contains("qdrant") && other.hint().unwrap().contains("local, server"), "{other}");
    let hidden = home.load(&[(variables::BACKENDS, "server")]).unwrap_err();
    assert!(hidden.message().contains("not exposed"), "{hidden}");
    let all = home.load(&[(variables::BACKENDS, "*,qdrant")]).unwrap();
    assert_eq!(all.exposed(), ["local", "server"]);
}

#[test]
fn what_belongs_to_fiftyone_is_left_alone_and_listed() {
    let home = Home::with_file(
        r#"{"default_visualization_method": "umap", "similarity_backends": {"qdrant": {"url": "x"}, "local": {"config_cls": "a.B", "metric": "l1"}}}"#,
    );
    let config = home.load(&[("FIFTYONE_BRAIN_SIMILARITY_MILVUS_URI", "x"), ("FIFTYONE_BRAIN_DEFAULT_VISUALIZATION_METHOD", "umap")]).unwrap();
    assert_eq!(config.parameters("local", &[]).unwrap().text("metric"), Some("l1"));
    let names: Vec<_> = config.check().into_iter().map(|left| left.name).collect();
    let expected = [
        "default_visualization_method",
        "similarity_backends.qdrant",
        "FIFTYONE_BRAIN_DEFAULT_VISUALIZATION_METHOD",
        "FIFTYONE_BRAIN_SIMILARITY_MILVUS_URI",
    ];
    assert_eq!(names, expected);
}
