//! Against a hub on the loopback interface: redirects, sums, broken connections, refusals.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use brain_core::{ErrorKind, NoProgress};

use crate::fetch::*;
use crate::sums::of_bytes;

/// What the hub does with a request, given how many came before it.
type Answering = dyn Fn(&Request, usize) -> Vec<u8> + Send + Sync;

#[derive(Clone, Debug, Default)]
struct Request {
    path: String,
    range: Option<u64>,
    token: Option<String>,
}

/// A server of one connection at a time; it ends with the test's process.
struct Loopback {
    endpoint: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Loopback {
    fn start(answer: impl Fn(&Request, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer): (_, Arc<Answering>) = (requests.clone(), Arc::new(answer));
        thread::spawn(move || {
            for connection in listener.incoming() {
                serve(connection.unwrap(), &seen, &*answer);
            }
        });
        Self { endpoint, requests }
    }

    fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut connection: TcpStream, seen: &Mutex<Vec<Request>>, answer: &Answering) {
    let mut request = Request::default();
    for line in BufReader::new(connection.try_clone().unwrap()).lines() {
        let line = line.unwrap_or_default();
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "" => break,
            "range" => request.range = value.strip_prefix("bytes=").and_then(|range| range.trim_end_matches('-').parse().ok()),
            "authorization" => request.token = Some(value.to_owned()),
            first if first.starts_with("get ") => request.path = line.split(' ').nth(1).unwrap().to_owned(),
            _ => {}
        }
    }
    let before = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    // Whoever asked may be gone.
    let _ = connection.write_all(&answer(&request, before));
}

fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = format!("{text}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The file, or the part of it that is asked for; `cut` bytes of the answer are lost on the way.
fn file(content: &[u8], request: &Request, cut: usize) -> Vec<u8> {
    let from = request.range.unwrap_or_default() as usize;
    if from >= content.len() && from > 0 {
        return response("416 Range Not Satisfiable", &[("content-range", &format!("bytes */{}", content.len())), ("content-length", "0")], b"");
    }
    let part = &content[from..];
    let length = part.len().to_string();
    let range = format!("bytes {from}-{}/{}", content.len() - 1, content.len());
    let (status, range) = if request.range.is_some() { ("206 Partial Content", Some(range)) } else { ("200 OK", None) };
    let mut headers = vec![("content-length", length.as_str())];
    headers.extend(range.as_deref().map(|range| ("content-range", range)));
    response(status, &headers, &part[..part.len().saturating_sub(cut)])
}

/// A model of one file on a hub.
fn model(sha256: Option<&str>) -> Manifest {
    let mut file = serde_json::json!({"path": "onnx/model.onnx"});
    if let Some(sha256) = sha256 {
        file["sha256"] = sha256.into();
    }
    let manifest = serde_json::json!({
        "name": "m", "dimension": 4, "image": {"file": "model.onnx"},
        "hub": {"repository": "someone/m", "revision": "v1"}, "files": {"model.onnx": file},
    });
    Manifest::parse(&manifest.to_string(), "model.json").unwrap()
}

fn pulled(hub: &Loopback, manifest: &Manifest, folder: &Path) -> Result<Vec<FetchedFile>> {
    let options = PullOptions { endpoint: hub.endpoint.clone(), token: Some(Secret::new("hf_secret")) };
    fetch(manifest, folder, &options, &NoProgress)
}

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_large_file_comes_from_elsewhere_with_the_sum_that_the_hub_announces() {
    let content = content();
    let sum = of_bytes(&content);
    let (etag, storage) = (format!("\"{sum}\""), Loopback::start(move |request, _| file(&self::content(), request, 0)));
    let elsewhere = format!("{}/blob?signature=secret", storage.endpoint);
    let hub = Loopback::start(move |_, _| response("302 Found", &[("location", &elsewhere), ("x-linked-etag", &etag), ("content-length", "0")], b""));
    let folder = tempfile::tempdir().unwrap();
    let fetched = pulled(&hub, &model(None), folder.path()).unwrap();
    assert_eq!(fetched, [FetchedFile { name: "model.onnx".into(), bytes: content.len() as u64, sha256: sum, checked: SumOrigin::Hub }]);
    assert_eq!(fs::read(folder.path().join("model.onnx")).unwrap(), content);
    assert_eq!(hub.requests()[0].path, "/someone/m/resolve/v1/onnx/model.onnx");
    // The token is the hub's own affair.
    assert_eq!(hub.requests()[0].token.as_deref(), Some("Bearer hf_secret"));
    assert_eq!(storage.requests()[0].token, None);
    // What is here is not asked for again.
    assert_eq!(pulled(&hub, &model(None), folder.path()).unwrap(), []);
    assert_eq!(hub.requests().len(), 1);
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let content = content();
    // The first answer loses its last 500,000 bytes, the second the last of what is left.
    let hub = Loopback::start(move |request, before| file(&self::content(), request, [500_000, 1, 0][before.min(2)]));
    let folder = tempfile::tempdir().unwrap();
    let fetched = pulled(&hub, &model(Some(&of_bytes(&content))), folder.path()).unwrap();
    assert_eq!(fetched[0].checked, SumOrigin::Manifest);
    assert_eq!(fs::read(folder.path().join("model.onnx")).unwrap(), content);
    let ranges: Vec<_> = hub.requests().iter().map(|request| request.range).collect();
    assert_eq!(ranges, [None, Some(700_000), Some(1_199_999)]);
}

#[test]
fn what_an_earlier_pull_left_is_used_and_what_does_not_fit_is_fetched_anew() {
    let content = content();
    let hub = Loopback::start(move |request, _| file(&self::content(), request, 0));
    let manifest = model(Some(&of_bytes(&content)));
    for left in [content[..1000].to_vec(), content.clone(), vec![7; 1000], vec![7; 2_000_000]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(part(folder.path(), "model.onnx"), &left).unwrap();
        pulled(&hub, &manifest, folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("model.onnx")).unwrap(), content);
        assert!(!part(folder.path(), "model.onnx").exists());
    }
}

#[test]
fn a_file_that_is_not_what_it_must_be_never_comes_to_its_place() {
    let hub = Loopback::start(move |request, _| file(b"something else", request, 0));
    let folder = tempfile::tempdir().unwrap();
    let error = pulled(&hub, &model(Some(&of_bytes(b"expected"))), folder.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains(&of_bytes(b"expected")), "{error}");
    assert!(!folder.path().join("model.onnx").exists() && !part(folder.path(), "model.onnx").exists());
}

#[test]
fn refusals_have_their_kinds_and_say_what_to_put_where() {
    for (status, kind) in
        [("401 Unauthorized", ErrorKind::Auth), ("404 Not Found", ErrorKind::NotFound), ("503 Service Unavailable", ErrorKind::Unavailable)]
    {
        let hub = Loopback::start(move |_, _| response(status, &[("content-length", "0")], b""));
        let folder = tempfile::tempdir().unwrap();
        let error = pulled(&hub, &model(None), folder.path()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let hint = error.hint().unwrap();
        assert!(hint.contains(&format!("model.onnx from {}/someone/m/resolve/v1/onnx/model.onnx", hub.endpoint)), "{hint}");
        assert!(hint.contains(&folder.path().display().to_string()) && hint.contains("brain models verify m"), "{hint}");
        assert!(!format!("{error:?}").contains("hf_secret"));
    }
}

#[test]
fn without_a_hub_the_files_are_named() {
    // A port that was free a moment ago, and nobody listens at.
    let endpoint = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let options = PullOptions { endpoint: endpoint.clone(), token: None };
    let error = fetch(&model(None), folder.path(), &options, &NoProgress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("cannot be reached") && error.hint().unwrap().contains(&endpoint), "{error}");
    let options = PullOptions { endpoint: "hub.example".into(), token: None };
    assert_eq!(fetch(&model(None), folder.path(), &options, &NoProgress).unwrap_err().kind(), ErrorKind::Config);
}
