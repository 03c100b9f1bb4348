//! Which board this is, in its maker's words.

use std::fs;
use std::path::Path;

/// The longest name that is told: a line of a log, not a page.
const MODEL_MAX_CHARACTERS: usize = 80;

/// The model's name from the device tree, `Raspberry Pi Zero W Rev 1.1`. `None`: there is no device tree, or it names none.
pub fn model() -> Option<String> {
    model_below(Path::new("/"))
}

fn model_below(root: &Path) -> Option<String> {
    let bytes = fs::read(root.join("proc/device-tree/model")).ok()?;
    // A property of the device tree ends with a NUL.
    let text = bytes.split(|&byte| byte == 0).next()?;
    let model: String = String::from_utf8_lossy(text)
        .chars()
        .filter(|character| !character.is_control())
        .take(MODEL_MAX_CHARACTERS)
        .collect();
    let model = model.trim();
    (!model.is_empty()).then(|| model.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_tree_names_the_board() {
        let root = tempfile::tempdir().expect("a folder for the test");
        assert_eq!(model_below(root.path()), None, "no device tree");
        let folder = root.path().join("proc/device-tree");
        fs::create_dir_all(&folder).expect("the folder is ours");
        let long = [b'x'; 4096];
        let cut = "x".repeat(MODEL_MAX_CHARACTERS);
        for (bytes, expected) in [
            (
                &b"Raspberry Pi Zero W Rev 1.1\0"[..],
                Some("Raspberry Pi Zero W Rev 1.1"),
            ),
            (
                b"Raspberry Pi 4 Model B Rev 1.4",
                Some("Raspberry Pi 4 Model B Rev 1.4"),
            ),
            (b"first\0second\0", Some("first")),
            (b"two\nlines\0", Some("twolines")),
            (b"\0", None),
            (b"", None),
            (&long, Some(cut.as_str())),
        ] {
            fs::write(folder.join("model"), bytes).expect("the folder is ours");
            assert_eq!(model_below(root.path()).as_deref(), expected);
        }
    }
}
