//! Whether a path lies in a directory, by the lexical rules of Go's `path/filepath`.

use std::borrow::Cow;

/// Removes empty, `.` and inner `..` elements, as `filepath.Clean` does.
pub(super) fn clean(path: &str) -> Cow<'_, str> {
    if is_clean(path) {
        return Cow::Borrowed(path);
    }
    let rooted = path.starts_with('/');
    let mut elements: Vec<&str> = Vec::new();
    for element in path.split('/') {
        match element {
            "" | "." => {}
            ".." => match elements.last() {
                Some(&last) if last != ".." => {
                    elements.pop();
                }
                None if rooted => {}
                _ => elements.push(element),
            },
            element => elements.push(element),
        }
    }
    let joined = elements.join("/");
    Cow::Owned(match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    })
}

/// Whether cleaning would certainly change nothing; true for what Git reports, so that it need not be copied.
fn is_clean(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|element| !matches!(element, "" | "." | ".."))
}

/// Whether the path is the directory or lies below it. The directory is cleaned already.
pub(super) fn contains(directory: &str, path: &str) -> bool {
    let path = clean(path);
    if directory == path {
        return true;
    }
    let below = match directory {
        "." => Some(&*path).filter(|path| !path.starts_with('/')),
        "/" => path.strip_prefix('/'),
        directory => path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')),
    };
    below.is_some_and(|rest| rest != ".." && !rest.starts_with("../"))
}
