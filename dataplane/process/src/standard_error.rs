//! Lines on standard error that never wait for their reader.
//!
//! Standard error is most often a pipe. A reader that stalls would stop every thread that logs, and
//! with them the work. So lines go into a bounded queue, and a thread of its own writes them out.
//! When the queue is full a line is dropped; how many were is a metric and, once there is room
//! again, a warning.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

/// Lines that may wait for the reader.
const MAX_WAITING: usize = 2_048;

/// Bytes that are written at once where lines wait anyway.
const BUFFER: usize = 8 * 1_024;

/// How long lines may wait for others to be written with: waking the writer for each one costs more
/// than writing it.
const GATHER: Duration = Duration::from_millis(10);

/// How long the end of the process waits for its last lines to be taken.
const LAST_WAIT: Duration = Duration::from_millis(1_500);

/// How often it is looked whether lines were dropped.
const LOOK: Duration = Duration::from_secs(5);

/// One process has one standard error.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Writes whole lines, each with its line break. Never waits and never fails: there is nobody left
/// to tell.
pub fn write(lines: &[u8]) {
    QUEUE.get_or_init(Queue::on_standard_error).write(lines);
}

/// Waits for what has been written, but not for long. What is written afterwards is dropped.
pub fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish();
    }
}

/// Calls [`finish`] when dropped, by a panic too.
#[derive(Debug)]
pub struct FinishOnDrop;

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        finish();
    }
}

/// Warns of lines that were dropped. Never ends.
pub async fn tell_of_drops() {
    let mut told = 0;
    loop {
        tokio::time::sleep(LOOK).await;
        let dropped = dropped();
        if dropped > told {
            tracing::warn!(
                dropped,
                "log lines were dropped: standard error was not read fast enough"
            );
            told = dropped;
        }
    }
}

/// Lines dropped since the start.
fn dropped() -> u64 {
    QUEUE.get().map_or(0, Queue::dropped)
}

/// Registers `log_lines_dropped_total`.
pub(crate) fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Dropped));
}

#[derive(Debug)]
struct Dropped;

impl Collector for Dropped {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counter = ConstCounter::new(dropped());
        let encoder = encoder.encode_descriptor(
            "log_lines_dropped",
            "Log lines dropped because standard error was not read fast enough",
            None,
            counter.metric_type(),
        )?;
        counter.encode(encoder)
    }
}

struct Queue {
    /// `None` once the process is at its end.
    lines: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    /// Closed when the last line has been written.
    written: Mutex<Receiver<()>>,
    dropped: AtomicU64,
}

impl Queue {
    fn on_standard_error() -> Self {
        // A handle of its own: the lock of the standard one would be held while the pipe is full.
        match io::stderr().as_fd().try_clone_to_owned() {
            Ok(handle) => Self::new(File::from(handle), MAX_WAITING),
            Err(_) => Self::new(io::stderr(), MAX_WAITING),
        }
    }

    fn new(out: impl Write + Send + 'static, limit: usize) -> Self {
        let (lines, waiting) = mpsc::channel(limit);
        let (done, written) = std::sync::mpsc::channel::<()>();
        let started = thread::Builder::new()
            .name("standard-error".to_owned())
            .spawn(move || {
                pass_on(waiting, out);
                drop(done);
            });
        // Without a thread every line is counted as dropped: its receiver is gone.
        drop(started);
        Self {
            lines: Mutex::new(Some(lines)),
            written: Mutex::new(written),
            dropped: AtomicU64::new(0),
        }
    }

    fn write(&self, line: &[u8]) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = lines
            .as_ref()
            .is_some_and(|lines| lines.try_send(line.to_vec()).is_ok());
        if !taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn finish(&self) {
        let lines = self
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(lines);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // Either all is written (nobody sends, so it can only close), or the time is over: the
        // end of the process must not wait for a pipe that nobody reads.
        let _ = written.recv_timeout(LAST_WAIT);
    }
}

/// Writes lines until nobody can bring another, those that wait at once.
fn pass_on(mut waiting: mpsc::Receiver<Vec<u8>>, mut out: impl Write) {
    let mut buffer = Vec::with_capacity(BUFFER);
    while let Some(line) = waiting.blocking_recv() {
        buffer.extend_from_slice(&line);
        while buffer.len() < BUFFER
            && let Ok(line) = waiting.try_recv()
        {
            buffer.extend_from_slice(&line);
        }
        // There is nobody to tell of a standard error that cannot be written.
        let _ = out.write_all(&buffer);
        buffer.clear();
        // Only a writer that keeps up may rest: otherwise the pause would bound what can be logged.
        if waiting.is_empty() {
            thread::sleep(GATHER);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::io::Read;
    use std::sync::mpsc::TryRecvError;

    use super::*;

    #[test]
    fn a_pipe_nobody_reads_stops_nothing_and_what_did_not_fit_is_counted() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        // As much as a pipe holds (pipe(7)); one byte more would wait.
        writer.write_all(&vec![b'\n'; 64 * 1024]).unwrap();
        let queue = Queue::new(writer, 4);
        let line = [&[b'.'; 1_019], b"line\n".as_slice()].concat();
        for _ in 0..40 {
            queue.write(&line);
        }
        // Four wait, and the writer may have taken a buffer full and one more.
        let dropped = queue.dropped();
        assert!((27..=36).contains(&dropped), "{dropped}");
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        queue.finish();
        let all = reading.join().unwrap();
        let lines = String::from_utf8(all).unwrap().matches("line\n").count();
        assert_eq!(lines as u64, 40 - dropped);
    }

    #[test]
    fn a_burst_of_lines_is_written_as_fast_as_it_is_read() {
        let (mut reader, writer) = io::pipe().unwrap();
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all.len()
        });
        // With a pause after each buffer this would take longer than the end of the process waits.
        let (queue, line) = (Queue::new(writer, 2_048), vec![b'.'; 1_024]);
        for _ in 0..2_048 {
            queue.write(&line);
        }
        queue.finish();
        let left = queue.written.lock().unwrap().try_recv();
        assert_eq!(left, Err(TryRecvError::Disconnected), "all are written");
        assert_eq!(reading.join().unwrap(), 2_048 * 1_024);
    }

    #[test]
    fn the_last_lines_are_waited_for_but_not_for_ever() {
        let (_reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&vec![b'\n'; 64 * 1024]).unwrap();
        let queue = Queue::new(writer, 4);
        queue.write(b"line\n");
        queue.finish();
        queue.finish();
    }
}
