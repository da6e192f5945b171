//! A terminal that never fails: one that went away shows nothing, and is no reason to stop a recovery. Who draws
//! would panic instead, and keep what others wait for.

use std::io::Result;

use console::Term;
use indicatif::ProgressDrawTarget;
use indicatif::TermLike;

/// How often at most something is drawn, in Hz.
const DRAWN_HZ: u8 = 20;

/// Standard error, if it is a terminal.
pub(super) fn target() -> ProgressDrawTarget {
    let term = Term::buffered_stderr();
    match term.is_term() {
        true => ProgressDrawTarget::term_like_with_hz(Box::new(Patient(term)), DRAWN_HZ),
        false => ProgressDrawTarget::hidden(),
    }
}

#[derive(Debug)]
struct Patient(Term);

fn whatever(done: Result<()>) -> Result<()> {
    done.ok();
    Ok(())
}

impl TermLike for Patient {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> Result<()> {
        whatever(self.0.move_cursor_up(n))
    }

    fn move_cursor_down(&self, n: usize) -> Result<()> {
        whatever(self.0.move_cursor_down(n))
    }

    fn move_cursor_right(&self, n: usize) -> Result<()> {
        whatever(self.0.move_cursor_right(n))
    }

    fn move_cursor_left(&self, n: usize) -> Result<()> {
        whatever(self.0.move_cursor_left(n))
    }

    fn write_line(&self, s: &str) -> Result<()> {
        whatever(self.0.write_line(s))
    }

    fn write_str(&self, s: &str) -> Result<()> {
        whatever(self.0.write_str(s))
    }

    fn clear_line(&self) -> Result<()> {
        whatever(self.0.clear_line())
    }

    fn flush(&self) -> Result<()> {
        whatever(self.0.flush())
    }
}
