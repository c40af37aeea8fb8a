//! What a panic leaves in the log: one line that says where, and nothing that the process worked on.

use std::any::Any;
use std::panic::{PanicHookInfo, set_hook};
use std::thread;

/// Stands for a message that was put together when it was needed.
const WITHHELD: &str = "withheld, because it may quote what was worked on";

/// Logs every panic from now on. By default its message would be printed, and with it, say, a URL that cannot be
/// parsed.
pub fn log_all() {
    set_hook(Box::new(log));
}

fn log(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let (thread, reason) = (thread::current(), constant(panic.payload()));
    tracing::error!(place, thread = thread.name().unwrap_or_default(), reason, "a panic");
}

/// The message of a panic, if it is a text of the program and was not put together from values.
fn constant(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or(WITHHELD)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::panic::{catch_unwind, take_hook};
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_one_line_with_its_place_and_without_what_was_worked_on() {
        let (written, secret) = (Written::default(), "hunter2hunter2");
        let sink = written.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || sink.clone()).finish();
        let usual = take_hook();
        log_all();
        tracing::subscriber::with_default(subscriber, || {
            catch_unwind(|| panic!("https://hooks.example.com/quay/{secret}")).unwrap_err();
            catch_unwind(|| "x".parse::<u8>().map_err(|_| secret).unwrap()).unwrap_err();
            catch_unwind(|| panic!("a slot without a turn")).unwrap_err();
        });
        set_hook(usual);
        let text = String::from_utf8(written.0.lock().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!text.contains(secret), "{text}");
        let reasons: Vec<_> = lines.iter().map(|line| line["fields"]["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons, [WITHHELD, WITHHELD, "a slot without a turn"]);
        assert!(lines.iter().all(|line| line["fields"]["place"].as_str().unwrap().contains("panics.rs:")), "{text}");
        assert_eq!(lines[0]["level"], "ERROR");
    }
}
