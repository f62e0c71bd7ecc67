//! Lists the page's files, so that a file put into `ui/` is served without a change elsewhere.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=ui");
    let root = folder("CARGO_MANIFEST_DIR")?.join("ui");
    let mut names = Vec::new();
    list(&root, "", &mut names)?;
    names.sort_unstable();
    let mut table = String::from("&[\n");
    for name in names {
        let path = root.join(&name);
        // Neither can fail: one writes to memory, and both write texts as Rust spells them.
        let _ = writeln!(table, "    ({name:?}, include_bytes!({path:?})),");
    }
    table.push(']');
    fs::write(folder("OUT_DIR")?.join("ui_files.rs"), table)
}

fn folder(variable: &str) -> io::Result<PathBuf> {
    env::var_os(variable).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("cargo sets no {variable}")))
}

/// Collects the files below `dir`, named with slashes; what editors and people hide begins with a dot.
fn list(dir: &Path, above: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| io::Error::other(format!("{name:?} in ui/")))?;
        if name.starts_with('.') {
            continue;
        }
        let name = format!("{above}{name}");
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}
