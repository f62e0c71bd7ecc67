//! Which file of a crate names which other.
//!
//! Names are followed through `pub use` to the file that defines them, so that a folder's `mod.rs` is not a file that
//! everything depends on. It cannot see: which file an inherent method is in (`self.read_run()`, where `impl Store` is
//! in several files), names that a macro makes, `include!`, and what a macro of another file expands to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, iter,
    path::{Path as FilePath, PathBuf},
};

use super::imports::{Module, Named, Path, modules};

/// Through how many re-exports a name is followed.
const DEPTH_MAX: usize = 8;

/// The files of a crate, by their module path (`store::read`), and what each names.
pub(super) struct Crate {
    /// The modules that each file names, itself left out. The root is the empty path.
    pub(super) edges: BTreeMap<String, BTreeSet<String>>,
    /// The files that no `mod` declares: nothing compiles them.
    pub(super) undeclared: Vec<String>,
    /// The files that define something.
    pub(super) defining: BTreeSet<String>,
}

/// A module, and the file that it is in.
struct Known {
    file: Path,
    module: Module,
    named: Named,
}

impl Crate {
    /// Reads the files below `src`.
    pub(super) fn read(src: &FilePath) -> Self {
        let mut files = Vec::new();
        collect(src, &mut files);
        Self::of(files.iter().map(|file| {
            let below = file.strip_prefix(src).expect("below src");
            (module_path(below), fs::read_to_string(file).expect("reads"))
        }))
    }

    /// Reads files that are given as the path of their module, and their text.
    pub(super) fn of(files: impl IntoIterator<Item = (Path, String)>) -> Self {
        let mut known: BTreeMap<Path, Known> = BTreeMap::new();
        for (file, text) in files {
            for module in modules(file.clone(), &text) {
                let named = module.named();
                let before = known.insert(module.path.clone(), Known { file: file.clone(), module, named });
                assert!(before.is_none(), "two modules are called `{}`", file.join("::"));
            }
        }
        let declared = |path: &Path| -> Option<bool> {
            let (name, parent) = path.split_last()?;
            known.get(parent)?.module.children.get(name).copied()
        };
        let is_for_tests = |path: &Path| (1..=path.len()).any(|len| declared(&path[..len].to_vec()) == Some(true));
        let files: BTreeSet<&Path> =
            known.values().map(|known| &known.file).filter(|file| !is_for_tests(file)).collect();
        let undeclared = files
            .iter()
            .filter(|file| !file.is_empty() && declared(file).is_none())
            .map(|file| file.join("::"))
            .collect();
        let defines = |known: &&Known| known.module.path == known.file && !known.module.defined.is_empty();
        let defining = known.values().filter(defines).map(|known| known.file.join("::")).collect();
        let mut edges: BTreeMap<String, BTreeSet<String>> =
            files.iter().map(|file| (file.join("::"), BTreeSet::new())).collect();
        for from in known.values().filter(|from| !is_for_tests(&from.file)) {
            let own = from.file.join("::");
            let all = targets(&known, from).into_iter().map(|file| file.join("::")).filter(|file| *file != own);
            edges.entry(own.clone()).or_default().extend(all);
        }
        Self { edges, undeclared, defining }
    }

    /// Returns the circles of files, each sorted: files of which each leads to every other.
    pub(super) fn circles(&self) -> Vec<Vec<String>> {
        let reach: BTreeMap<&String, BTreeSet<&String>> =
            self.edges.keys().map(|from| (from, self.reachable(from))).collect();
        let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
        for (from, reached) in &reach {
            let back: Vec<String> =
                reached.iter().filter(|to| reach[**to].contains(*from)).map(|to| (**to).clone()).collect();
            if back.len() > 1 {
                circles.insert(back);
            }
        }
        circles.into_iter().collect()
    }

    fn reachable<'a>(&'a self, from: &'a String) -> BTreeSet<&'a String> {
        let (mut found, mut waiting) = (BTreeSet::new(), vec![from]);
        while let Some(next) = waiting.pop() {
            waiting.extend(self.edges[next].iter().filter(|to| found.insert(*to)));
        }
        found
    }
}

/// Returns the paths of the files in a folder and all below it.
fn collect(dir: &FilePath, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("lists").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            collect(&entry, into);
        } else if entry.extension().is_some_and(|ending| ending == "rs") {
            into.push(entry);
        }
    }
}

fn module_path(file: &FilePath) -> Path {
    let mut parts: Path = file.with_extension("").iter().map(|part| part.to_str().expect("UTF-8").to_owned()).collect();
    let is_root = parts.len() == 1 && ["lib", "main"].contains(&parts[0].as_str());
    if is_root || parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// Returns the files that a module names.
fn targets<'a>(known: &'a BTreeMap<Path, Known>, from: &'a Known) -> BTreeSet<&'a Path> {
    let named = &from.named;
    let mut found: BTreeSet<&Path> = named.paths.iter().filter_map(|path| resolve(known, path, 0)).collect();
    // A folder's `mod.rs` is there to re-export what is below it.
    let is_below = |path: &&Path| path.len() > from.module.path.len() && path.starts_with(&from.module.path);
    let exported = named.exports.values().chain(&named.export_globs).filter(|path| !is_below(path));
    found.extend(exported.filter_map(|path| resolve(known, path, 0)));
    for glob in &named.globs {
        found.extend(resolve(known, glob, 0));
        if let Some(module) = known.get(glob) {
            found.extend(module.named.exports.values().filter_map(|path| resolve(known, path, 0)));
        }
    }
    found
}

/// Returns the file that defines what a path names, through whatever re-exports it.
fn resolve<'a>(known: &'a BTreeMap<Path, Known>, path: &[String], depth: usize) -> Option<&'a Path> {
    let len = (0..=path.len()).rev().find(|len| known.contains_key(&path[..*len]))?;
    let module = &known[&path[..len]];
    let Some((name, rest)) = path[len..].split_first().filter(|_| depth < DEPTH_MAX) else {
        return Some(&module.file);
    };
    let joined = |behind: &Path| behind.iter().chain(rest).cloned().collect::<Path>();
    if let Some(behind) = module.named.exports.get(name) {
        return resolve(known, &joined(behind), depth + 1);
    }
    if !module.module.defined.contains(name) {
        for glob in &module.named.export_globs {
            let has_it = known.get(glob).is_some_and(|glob| {
                glob.module.defined.contains(name)
                    || glob.module.children.contains_key(name)
                    || glob.named.exports.contains_key(name)
                    || !glob.named.export_globs.is_empty()
            });
            if has_it {
                let behind: Path = glob.iter().chain(iter::once(name)).cloned().collect();
                return resolve(known, &joined(&behind), depth + 1);
            }
        }
    }
    Some(&module.file)
}

fn edges(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let path = |name: &str| name.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Path>();
    let found = Crate::of(files.iter().map(|(name, text)| (path(name), (*text).to_owned())));
    let joined = |named: BTreeSet<String>| named.into_iter().collect::<Vec<_>>().join(" ");
    found.edges.into_iter().map(|(from, named)| (from, joined(named))).collect()
}

/// Checks what `a` names, in a crate that has `b` and the folder `f` with `f::x` and `f::y`.
fn check(a: &str, expected: &str) {
    let found = edges(&[
        ("", "mod a; mod b; mod f; pub use f::X;"),
        ("a", a),
        ("b", "pub struct B; pub use super::f::Renamed;"),
        ("f", "mod x; pub mod y; pub use x::{X, Y as Renamed}; pub use y::*; pub struct InPage;"),
        ("f::x", "pub struct X; pub struct Y;"),
        ("f::y", "pub struct InGlob; pub mod inner { pub struct Deep; }"),
    ]);
    assert_eq!(found["a"], expected, "{a}");
    assert_eq!((found[""].as_str(), found["f"].as_str(), found["b"].as_str()), ("", "", "f::x"));
}

#[test]
fn a_use_tree_is_written_out() {
    check("use crate::b::B;", "b");
    check("use crate::{b::{self, B}, f::{X, InPage as P}};", "b f f::x");
    check("use super::{\n    b,\n    f::y::{InGlob, inner::Deep},\n};", "b f::y");
    check("pub(crate) use crate::b::B as C;", "b");
    check("use {crate::b, std::fs::{self, File}};", "b");
    check("use ::b::B; use other::f::X; use self::inner::Y; fn f() {}", "");
    check("fn g() { use crate::b::B; let _ = B; }", "b");
    check("use crate::b::B as _;", "b");
    check("use super::super::nowhere;", "");
}

#[test]
fn names_lead_to_the_file_that_defines_them() {
    check("use crate::f::X;", "f::x");
    check("use crate::X;", "f::x");
    check("use crate::f::Renamed;", "f::x");
    check("use crate::b::Renamed;", "f::x");
    check("use crate::f::InGlob;", "f::y");
    check("use crate::f::InPage;", "f");
    check("use crate::f::inner::Deep;", "f::y");
    check("use crate::f; fn g() { f::X; f::y::h(); }", "f f::x f::y");
    check("use crate::f as g; fn h() { g::X; }", "f f::x");
    check("use crate::f::*;", "f f::x");
}

#[test]
fn paths_count_wherever_they_are_written() {
    check("fn g(b: crate::b::B) -> super::f::X {}", "b f::x");
    check("type A = <crate::b::B as Clone>::C; fn g() { Vec::<crate::f::X>::new(); }", "b f::x");
    check("macro_rules! m { () => { $crate::b::g() } }", "b");
    check("fn g() { println!(\"{}\", crate::b::g()); }", "b");
    check("#[serde(with = \"crate::b\")] struct S { #[serde(default = \"super::f::x::g\")] t: T }", "b f::x");
    check("mod inner { use super::super::b::B; fn g() { super::super::f::InPage; } }", "b f");
    check("pub(in crate::b) fn g() {} fn h<'b>(b: &'b str) { b.f(); other::b::B; impl_b!(); }", "");
}

#[test]
fn comments_texts_and_tests_name_nothing() {
    check(
        "// use crate::b;\n/* crate::b::B */ /// [`B`](crate::b::B)\nfn g() { \"crate::b::B\"; r#\"use crate::b;\"#; }",
        "",
    );
    check("#[cfg(test)] mod tests { use crate::b::B; } use crate::f::X;", "f::x");
    check("#[cfg(test)]\n#[expect(x)]\nuse crate::{b::B}; use crate::f::X;", "f::x");
    check("#[cfg(all(test, unix))] pub(crate) fn g<A, C>() { crate::b::g(); } use crate::f::X;", "f::x");
    check("#[cfg(test)] const A: B = crate::b::B { c: 1 }; use crate::f::X;", "f::x");
    check("struct S { #[cfg(test)] b: crate::b::B, x: crate::f::X }", "f::x");
    check("enum E { A, #[cfg(test)] B(crate::b::B) } use crate::f::X;", "f::x");
    check("#[cfg(test)] impl crate::b::B { fn g() {} } use crate::f::X;", "f::x");
    check("#![cfg(test)] use crate::b::B;", "");
    for kept in ["not(test)", "feature = \"testing\"", "any(test, feature = \"testing\")", "all(unix, not(test))"] {
        check(&format!("#[cfg({kept})] use crate::b::B;"), "b");
    }
}

#[test]
fn a_file_with_a_folder_beside_it_names_what_is_in_the_folder() {
    let found = edges(&[
        ("", "mod m;"),
        ("m", "mod child; #[cfg(test)] mod checks; use child::C; fn g() { child::h(); }"),
        ("m::child", "use super::Own; use crate::m::child::C; pub struct C;"),
        ("m::checks", "use super::child::C;"),
    ]);
    let expected = [("", ""), ("m", "m::child"), ("m::child", "m")];
    assert_eq!(found, expected.map(|(from, to)| (from.to_owned(), to.to_owned())).into());
}

#[test]
fn circles_are_found_and_files_that_nothing_declares() {
    let files = [
        ("", "mod a; mod b; mod c; mod d;"),
        ("a", "use super::b::B;"),
        ("b", "use super::c::C;"),
        ("c", "use super::a::A;"),
        ("d", "use super::a::A;"),
        ("lost", ""),
    ];
    let found = Crate::of(files.map(|(path, text)| {
        (path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(), text.to_owned())
    }));
    assert_eq!(found.circles(), [["a", "b", "c"].map(str::to_owned).to_vec()]);
    assert_eq!(found.undeclared, ["lost"]);
    assert!(found.defining.is_empty());
}

#[test]
fn files_that_define_something_are_known() {
    let files =
        ["struct S;", "pub(crate) async fn f() {}", "macro_rules! m { () => {} }", "mod a; pub use a::A;", "impl X {}"];
    let named = files.iter().enumerate().map(|(at, text)| (vec![format!("m{at}")], (*text).to_owned()));
    assert_eq!(Crate::of(named).defining, ["m0", "m1", "m2"].map(str::to_owned).into());
}
