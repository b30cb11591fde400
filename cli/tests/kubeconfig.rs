//! Ways in which a cluster is not reached, each with a sentence, what to do, and an exit code of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/command.rs"]
#[allow(dead_code)]
mod command;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use assert_cmd::Command;
use command::{Run, finished};
use serde_json::json;
use tempfile::TempDir;

/// Runs the plugin where nothing but what is given tells of a cluster.
fn run(home: &TempDir, args: &[&str]) -> Run {
    let mut command = Command::cargo_bin("kubectl-pavilion").unwrap();
    command
        .env_remove("KUBECONFIG")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env("HOME", home.path())
        .args(args);
    finished(&mut command)
}

fn kubeconfig(home: &TempDir, server: &str) -> PathBuf {
    let path = home.path().join("config");
    let content = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
    });
    fs::write(&path, content.to_string()).unwrap();
    path
}

/// An API server that answers everything alike.
fn answering(status: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            while request.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream
                .write_all(format!("{head}{body}").as_bytes())
                .unwrap();
        }
    });
    url
}

/// Every command that needs a cluster ends alike.
fn each(home: &TempDir, more: &[&str], code: i32, expected: &[&str]) {
    for command in [
        &["status"][..],
        &["status", "acme"],
        &["why", "acme"],
        &["check"],
    ] {
        let run = run(home, &[command, more].concat());
        assert_eq!(
            (run.code, run.out.as_str()),
            (code, ""),
            "{command:?}: {}",
            run.err
        );
        for expected in expected {
            assert!(
                run.err.contains(expected),
                "{command:?} {expected}: {}",
                run.err
            );
        }
        for debug in ["Error", "Some(", "kube::", "panicked"] {
            assert!(!run.err.contains(debug), "{command:?} {debug}: {}", run.err);
        }
    }
}

#[test]
fn without_a_kubeconfig_it_says_how_to_name_one() {
    let home = tempfile::tempdir().unwrap();
    each(
        &home,
        &[],
        6,
        &["there is no kubeconfig", "--kubeconfig FILE", "--state DIR"],
    );
    each(
        &home,
        &["--kubeconfig", "/nowhere/at-all"],
        6,
        &["/nowhere/at-all does not exist"],
    );
    let broken = home.path().join("broken");
    fs::write(&broken, "contexts: {").unwrap();
    let broken = broken.to_str().unwrap();
    each(
        &home,
        &["--kubeconfig", broken],
        6,
        &["the kubeconfig is not readable"],
    );
    fs::write(broken, "apiVersion: v1\nkind: Config\n").unwrap();
    each(
        &home,
        &["--kubeconfig", broken],
        6,
        &["has no current context", "--context NAME"],
    );
}

#[test]
fn a_context_that_is_not_there_is_a_wrong_command_line() {
    let home = tempfile::tempdir().unwrap();
    let path = kubeconfig(&home, "http://127.0.0.1:1");
    let args = ["--kubeconfig", path.to_str().unwrap(), "--context", "there"];
    each(&home, &args, 2, &["has no context there", "get-contexts"]);
}

#[test]
fn an_api_server_that_is_away_is_named() {
    let home = tempfile::tempdir().unwrap();
    // Bound and let go of: nobody listens there.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let path = kubeconfig(&home, &format!("http://{free}"));
    let named = format!("the API server http://{free} cannot be reached");
    each(
        &home,
        &["--kubeconfig", path.to_str().unwrap()],
        5,
        &[&named, "Connection refused"],
    );
}

#[test]
fn a_refusal_is_told_in_the_api_servers_words() {
    let home = tempfile::tempdir().unwrap();
    let refusal = |code: u16, message: &str| {
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message})
            .to_string()
    };
    let url = answering("401 Unauthorized", refusal(401, "Unauthorized"));
    let path = kubeconfig(&home, &url);
    each(
        &home,
        &["--kubeconfig", path.to_str().unwrap()],
        4,
        &["does not know who you are", "log in again"],
    );
    let url = answering("403 Forbidden", refusal(403, "User \"x\" cannot get path"));
    let path = kubeconfig(&home, &url);
    each(
        &home,
        &["--kubeconfig", path.to_str().unwrap()],
        4,
        &["you may not", "User \"x\" cannot get path"],
    );
}

#[test]
fn where_nothing_is_installed_it_says_so() {
    let home = tempfile::tempdir().unwrap();
    let url = answering("404 Not Found", "404 page not found\n".to_owned());
    let path = kubeconfig(&home, &url);
    for command in [&["status"][..], &["status", "acme"], &["why", "acme"]] {
        let run = run(
            &home,
            &[command, &["--kubeconfig", path.to_str().unwrap()]].concat(),
        );
        assert_eq!(run.code, 5, "{}", run.err);
        assert!(
            run.err.contains("its custom resources are missing"),
            "{}",
            run.err
        );
        assert!(run.err.contains("kubectl pavilion check"), "{}", run.err);
    }
}

#[test]
fn a_program_that_logs_in_and_fails_is_heard() {
    let home = tempfile::tempdir().unwrap();
    let path = kubeconfig(&home, "http://127.0.0.1:1");
    let mut content: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    content["users"][0]["user"]["exec"] = json!({
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "interactiveMode": "Never",
        "args": ["-c", "echo your login has ended >&2; exit 3"],
    });
    fs::write(&path, content.to_string()).unwrap();
    let args = ["--kubeconfig", path.to_str().unwrap()];
    each(
        &home,
        &args,
        6,
        &["no way to log in", "your login has ended"],
    );
}

#[test]
fn a_host_and_a_cluster_at_once_are_a_wrong_command_line() {
    let home = tempfile::tempdir().unwrap();
    let run = run(&home, &["status", "--state", "x", "--context", "y"]);
    assert_eq!(run.code, 2, "{}", run.err);
}
