use super::*;

/// A home with a file at each path, and what `find` makes of it.
fn tree(files: &[&str]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for file in files {
        let file = home.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
    }
    home
}

/// A library as the wheel of this system calls it.
fn wheel(version: &str) -> String {
    match env::consts::DLL_EXTENSION {
        "so" => format!("libonnxruntime.so.{version}"),
        _ => format!("libonnxruntime.{version}.dylib"),
    }
}

#[test]
fn wheels_are_found_in_environments_folders_and_files() {
    let capi = "lib/python3.11/site-packages/onnxruntime/capi";
    let newest = format!("{capi}/{}", wheel("1.32.0"));
    let home = tree(&[
        &newest,
        &format!("{capi}/{}", wheel("1.31.0")),
        &format!("{capi}/libonnxruntime_providers_shared.so"),
        "lib/python3.9/site-packages/x",
    ]);
    let library = home.path().join(&newest);
    for named_as in ["", "lib/python3.11/site-packages", "lib/python3.11/site-packages/onnxruntime", capi, &newest] {
        assert_eq!(named(&home.path().join(named_as)).unwrap(), library, "{named_as}");
    }
    let error = named(&home.path().join("lib/python3.9")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().unwrap().contains("wheel onnxruntime"));
}

#[test]
fn the_active_environment_comes_before_the_path_and_the_path_before_the_system() {
    let home = tree(&["conda/x", "venv/bin/python3", ".local/x"]);
    let at = |path: &str| home.path().join(path);
    let (active, path) = (at("conda"), env::join_paths([at("nowhere"), at("venv/bin")]).unwrap());
    let places = places(|name| match name {
        "CONDA_PREFIX" => Some(active.clone().into()),
        "PATH" => Some(path.clone()),
        "HOME" => Some(home.path().into()),
        _ => None,
    });
    assert_eq!(places[..2], [at("conda"), at("venv")]);
    assert_eq!(places[places.len() - 3..], [at(".local"), "/usr/local".into(), "/usr".into()]);
    assert_eq!(find(&[at("conda")]), Path::new(&file_name()));
}

#[test]
fn what_is_no_library_is_refused_with_its_path_and_how_to_have_one() {
    let home = tree(&["libonnxruntime.so"]);
    let error = load(home.path().join("libonnxruntime.so")).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains(&home.path().display().to_string()));
    assert!(error.hint().unwrap().contains("pip install onnxruntime"));
}
