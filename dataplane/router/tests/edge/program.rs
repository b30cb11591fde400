//! The program as a supervisor sees it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::stage::PATIENCE;

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pavilion-router"));
    command
        .current_dir(folder)
        .args(["--config", "config.json"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn configure(folder: &Path, listen: &Value) {
    let config = json!({
        "process": {"health": "unix:health.sock"},
        "listen": listen,
        "routes": "routes.json",
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("routes.json"), r#"{"routes":[],"version":1}"#).unwrap();
}

fn health(folder: &Path, path: &str) -> Option<String> {
    let mut stream = UnixStream::connect(folder.join("health.sock")).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn until_ready(folder: &Path) {
    let start = Instant::now();
    while !health(folder, "/readyz").is_some_and(|page| page.starts_with("HTTP/1.1 200")) {
        assert!(start.elapsed() < PATIENCE, "never ready");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn last_line(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_str(text.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn it_runs_until_it_is_told_to_stop_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &json!(["127.0.0.1:0"]));
    let child = program(folder.path()).spawn().unwrap();
    until_ready(folder.path());
    let status = health(folder.path(), "/status").unwrap();
    assert!(status.contains(r#""served":{"version":1"#), "{status}");
    let metrics = health(folder.path(), "/metrics").unwrap();
    assert!(
        metrics.contains("pavilion_router_connections 0"),
        "{metrics}"
    );
    signal(&child, Signal::TERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(last_line(&output)["message"], "stopped");
    assert!(!folder.path().join("health.sock").exists());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    configure(folder.path(), &json!([port]));
    let child = program(folder.path()).spawn().unwrap();
    until_ready(folder.path());
    // A handshake that is not finished keeps the drain waiting.
    let _half_open = std::net::TcpStream::connect(port).unwrap();
    let open = "pavilion_router_connections 1";
    while !health(folder.path(), "/metrics").unwrap().contains(open) {
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, Signal::TERM);
    while !health(folder.path(), "/readyz")
        .unwrap()
        .contains("accepting_work: draining")
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(&child, Signal::INT);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &json!(["127.0.0.1:0"]));
    let (_reader, mut writer) = std::io::pipe().unwrap();
    // As much as a pipe holds (pipe(7)): the first line of the log does not fit any more.
    writer.write_all(&vec![b'\n'; 64 * 1024]).unwrap();
    let mut child = program(folder.path()).stderr(writer).spawn().unwrap();
    until_ready(folder.path());
    let metrics = health(folder.path(), "/metrics").unwrap();
    assert!(
        metrics.contains("pavilion_log_lines_dropped_total 0"),
        "{metrics}"
    );
    signal(&child, Signal::TERM);
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it hangs at its end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_trace_collector_that_is_away_costs_nothing_but_its_spans() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &json!(["127.0.0.1:0"]));
    let child = program(folder.path())
        .args(["--otlp", "http://127.0.0.1:9", "--log-level", "debug"])
        .spawn()
        .unwrap();
    until_ready(folder.path());
    signal(&child, Signal::INT);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_taken_port_is_exit_code_69_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    configure(folder.path(), &json!([address]));
    let output = program(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    let line = last_line(&output);
    let message = line["message"].as_str().unwrap();
    assert!(
        message.contains(&address) && message.contains("port_taken"),
        "{message}"
    );
}

#[test]
fn a_configuration_that_says_too_much_or_too_little_is_exit_code_78() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &json!([]));
    assert_eq!(
        program(folder.path()).output().unwrap().status.code(),
        Some(78)
    );
    std::fs::write(folder.path().join("config.json"), r#"{"lisen": []}"#).unwrap();
    let output = program(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("pavilion-router: config.json: "), "{said}");
    std::fs::remove_file(folder.path().join("config.json")).unwrap();
    assert_eq!(
        program(folder.path()).output().unwrap().status.code(),
        Some(66)
    );
}

#[test]
fn the_version_names_the_commit() {
    let program = env!("CARGO_BIN_EXE_pavilion-router");
    let output = Command::new(program).arg("--version").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let wanted = format!("pavilion-router {} (", env!("CARGO_PKG_VERSION"));
    assert!(text.starts_with(&wanted), "{text}");
}
