//! What a guest writes to its standard output and standard error, kept in memory.
//!
//! Of a WASI command's standard output the last line that is not blank is the result, the lines before it are its log. So a
//! line is a candidate for the result until another one follows; then it becomes log. The log is cut at its limit (both
//! streams together), as OpenWhisk does, and the guest is not told; the candidate is kept up to *its* limit however much log
//! came before it.
//!
//! **Invariants.** At most `log_bytes + result_bytes + 2` bytes are kept. A last line longer than `result_bytes` shows as one
//! that is longer (white space before it counts, after it does not), never as a shorter one. The kept log is a prefix of what was written, but for the line end that
//! closes a cut line.

use alloc::vec::Vec;

use crate::errno::Errno;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Bytes of log, both streams together.
    pub log_bytes: usize,
    /// Bytes of the last line of the standard output.
    pub result_bytes: usize,
}

/// The captured streams of one run. The buffers can be used again for the next: [`Output::clear`].
#[derive(Debug)]
pub struct Output {
    limits: OutputLimits,
    /// `log_len` bytes of log, then the candidate, then blank bytes.
    stdout: Vec<u8>,
    log_len: usize,
    /// The candidate's line has ended: the next byte that is not blank begins another.
    line_ended: bool,
    /// Bytes of the candidate were dropped: it is longer than its limit.
    line_cut: bool,
    /// Blank bytes behind the candidate were dropped.
    blanks_cut: bool,
    stderr: Vec<u8>,
    truncated: bool,
}

impl Output {
    /// Nothing written yet. Allocates nothing.
    #[must_use]
    pub const fn new(limits: OutputLimits) -> Self {
        Self {
            limits,
            stdout: Vec::new(),
            log_len: 0,
            line_ended: true,
            line_cut: false,
            blanks_cut: false,
            stderr: Vec::new(),
            truncated: false,
        }
    }

    /// Forget everything; the buffers stay, except those that one big run left behind.
    pub fn clear(&mut self) {
        for buffer in [&mut self.stdout, &mut self.stderr] {
            buffer.clear();
            buffer.shrink_to(KEPT_CAPACITY);
        }
        self.log_len = 0;
        self.line_ended = true;
        self.line_cut = false;
        self.blanks_cut = false;
        self.truncated = false;
    }

    /// The last line of the standard output that is not blank, without white space around it; empty if there is none.
    /// Longer than its limit if it was; then its end is missing.
    #[must_use]
    pub fn last_line(&self) -> &[u8] {
        if self.line_cut {
            self.candidate()
        } else {
            self.candidate().trim_ascii()
        }
    }

    /// The standard output without its last line.
    #[must_use]
    pub fn log(&self) -> &[u8] {
        self.stdout.get(..self.log_len).unwrap_or_default()
    }

    /// The whole standard output, as far as it was kept.
    #[must_use]
    pub fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// The standard error, as far as it was kept.
    #[must_use]
    pub fn stderr(&self) -> &[u8] {
        &self.stderr
    }

    /// Whether some of the log was dropped.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// What the log may still take.
    fn log_room(&self) -> usize {
        if self.truncated {
            return 0;
        }
        let used = self.log_len.saturating_add(self.stderr.len());
        self.limits.log_bytes.saturating_sub(used)
    }

    /// What the candidate may take: a line of log may be longer than a result may be, as long as the log has room.
    fn candidate_cap(&self) -> usize {
        self.limits
            .result_bytes
            .saturating_add(1)
            .saturating_add(self.log_room())
    }

    fn candidate(&self) -> &[u8] {
        self.stdout.get(self.log_len..).unwrap_or_default()
    }

    /// The candidate and the blank lines after it, without white space with which another line may have begun.
    fn whole_lines_len(&self) -> usize {
        memchr::memrchr(b'\n', self.candidate()).map_or(0, |end| end.saturating_add(1))
    }

    /// Take bytes of the standard error.
    pub(crate) fn write_stderr(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let borrowed = self
            .candidate()
            .len()
            .saturating_sub(self.limits.result_bytes.saturating_add(1));
        let room = self.log_room().saturating_sub(borrowed);
        let kept = bytes.get(..room).unwrap_or(bytes);
        append(&mut self.stderr, kept)?;
        self.truncated |= kept.len() < bytes.len();
        Ok(())
    }

    /// Take bytes of the standard output.
    pub(crate) fn write_stdout(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let line_len = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end.saturating_add(1));
            let (piece, after) = rest.split_at_checked(line_len).unwrap_or((rest, &[]));
            self.write_piece(piece)?;
            rest = after;
        }
        Ok(())
    }

    /// Take bytes of which only the last may be a line's end.
    fn write_piece(&mut self, piece: &[u8]) -> Result<(), Errno> {
        let blank = is_blank(piece);
        if self.line_ended && !blank {
            self.retire_line();
            self.line_ended = false;
        }
        let room = self.candidate_cap().saturating_sub(self.candidate().len());
        let kept = piece.get(..room).unwrap_or(piece);
        append(&mut self.stdout, kept)?;
        let dropped = piece.get(kept.len()..).unwrap_or_default();
        if dropped.is_empty() {
            self.line_ended |= piece.ends_with(b"\n");
        } else if self.line_ended {
            // The line end may have been among what was dropped: what is left of that line must not seem to be the beginning
            // of the next.
            self.blanks_cut = true;
            self.stdout
                .truncate(self.log_len.saturating_add(self.whole_lines_len()));
        } else {
            // White space at a line's end does not count for its length.
            self.line_cut |= !is_blank(dropped);
            if piece.ends_with(b"\n") {
                self.line_ended = true;
                append(&mut self.stdout, b"\n")?;
            }
        }
        Ok(())
    }

    /// Another line begins: what stands there becomes log, but for white space with which the new line has begun.
    fn retire_line(&mut self) {
        let line_len = self.whole_lines_len();
        let kept_len = line_len.min(self.log_room());
        if self.line_cut || self.blanks_cut || kept_len < line_len {
            self.truncated = true;
        }
        let kept_end = self.log_len.saturating_add(kept_len);
        if kept_len < line_len {
            self.stdout.drain(kept_end..self.log_len.saturating_add(line_len));
            // The log stays one of whole lines, so that the result after it begins a line of its own.
            if let Some(last) = self.stdout.get_mut(self.log_len..kept_end).and_then(<[u8]>::last_mut) {
                *last = b'\n';
            }
        }
        self.log_len = kept_end;
        self.line_cut = false;
        self.blanks_cut = false;
    }
}

/// Whether a last line of only these bytes is none.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().is_empty()
}

/// A buffer with more than this is given back between runs.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Append, and tell the guest if there is no memory: on a small machine that must not end the executor.
fn append(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Errno> {
    buffer.try_reserve(bytes.len()).map_err(|_| Errno::Nomem)?;
    buffer.extend_from_slice(bytes);
    Ok(())
}
