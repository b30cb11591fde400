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
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// Lines that may wait for the reader.
const MAX_WAITING: usize = 2_048;

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
    lines: NonBlocking,
    writer: Mutex<Option<WorkerGuard>>,
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
        let (lines, writer) = NonBlockingBuilder::default()
            .buffered_lines_limit(limit)
            .lossy(true)
            .thread_name("standard-error")
            .finish(out);
        Self {
            lines,
            writer: Mutex::new(Some(writer)),
        }
    }

    fn write(&self, lines: &[u8]) {
        // It takes everything or counts it as dropped.
        let _ = self.lines.clone().write_all(lines);
    }

    fn dropped(&self) -> u64 {
        self.lines.error_counter().dropped_lines() as u64
    }

    fn finish(&self) {
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(writer) = writer else { return };
        let (tell, done) = mpsc::channel();
        // The writer's own farewell may itself wait for a pipe; the end of the process must not.
        thread::spawn(move || {
            drop(writer);
            // Nobody listens any more once the time is over.
            let _ = tell.send(());
        });
        // Either it is done or its time is over.
        let _ = done.recv_timeout(LAST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::io::Read;

    use super::*;

    #[test]
    fn a_pipe_nobody_reads_stops_nothing_and_what_did_not_fit_is_counted() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        // As much as a pipe holds (pipe(7)); one byte more would wait.
        writer.write_all(&vec![b'\n'; 64 * 1024]).unwrap();
        let queue = Queue::new(writer, 4);
        for _ in 0..10 {
            queue.write(b"line\n");
        }
        // Four wait, and the writer may have taken one to write it.
        let dropped = queue.dropped();
        assert!((5..=6).contains(&dropped), "{dropped}");
        let reading = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all
        });
        queue.finish();
        let all = reading.join().unwrap();
        let lines = String::from_utf8(all).unwrap().matches("line\n").count();
        assert_eq!(lines as u64, 10 - dropped);
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
