//! Resident memory of a process, or of the program that an emulator runs in it.
//!
//! Source: proc(5), `/proc/PID/smaps`.

use std::fs;

use anyhow::{Context, Result};

/// Resident memory of a process in bytes; with `within`, of the mappings that lie between these two addresses.
pub fn bytes(process: u32, within: Option<[u64; 2]>) -> Result<u64> {
    let path = format!("/proc/{process}/smaps");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&text, within.unwrap_or([0, u64::MAX])).with_context(|| format!("{path} is not as proc(5) says"))
}

/// Each mapping is a line `from-to permissions …`, and lines of the form `Name: value` about it.
fn parse(text: &str, [from, to]: [u64; 2]) -> Option<u64> {
    let mut is_within = false;
    let mut kilobytes = 0;
    for line in text.lines() {
        let word = line.split(' ').next()?;
        if let Some((start, end)) = word.split_once('-') {
            let address = |digits| u64::from_str_radix(digits, 16).ok();
            is_within = address(start)? >= from && address(end)? <= to;
        } else if let (true, Some(value)) = (is_within, line.strip_prefix("Rss:")) {
            kilobytes += value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?;
        }
    }
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
00400000-00500000 r-xp 00000000 08:01 1234 /program
Size:               1024 kB
Rss:                 100 kB
VmFlags: rd ex mr mw me
10000000000-10100000000 rw-p 00000000 00:00 0
Rss:                   8 kB
7fff00000000-7fff00001000 rw-p 00000000 00:00 0 [stack]
Rss:                   4 kB
";

    #[test]
    fn mappings_are_counted_where_they_lie() {
        assert_eq!(parse(SMAPS, [0, u64::MAX]), Some(112 * 1024));
        assert_eq!(parse(SMAPS, [0, 0x1000_0000]), Some(100 * 1024));
        assert_eq!(parse(SMAPS, [0x100_0000_0000, 0x101_0000_0000]), Some(8 * 1024));
        assert_eq!(parse("Rss: many\n", [0, u64::MAX]), Some(0), "of no mapping");
        assert_eq!(parse("1-2 r\nRss: many\n", [0, u64::MAX]), None);
    }

    #[test]
    fn this_process_has_some() {
        assert!(bytes(std::process::id(), None).is_ok_and(|bytes| bytes > 100_000));
    }
}
