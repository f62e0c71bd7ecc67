//! What a source file names: its `use` trees, the paths that are written out, what it re-exports with `pub use`, and
//! what it defines.
//!
//! Code under `cfg(test)` is left out. A module in braces is a module of its own, in the same file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    conditions::is_for_tests,
    tokens::{Token, tokens},
};

/// A path as its parts.
pub(super) type Path = Vec<String>;

/// A module: a file, or a part of one in braces.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// Its path from the root of the crate.
    pub(super) path: Path,
    /// What `use` binds here: the name, and the path as it is written.
    imports: Vec<(String, Path)>,
    /// The modules all of whose names are bound here, as they are written.
    globs: Vec<Path>,
    /// The paths that are written out where they are used.
    uses: BTreeSet<Path>,
    /// What is re-exported: the name, and the path as it is written.
    exports: Vec<(String, Path)>,
    /// The modules all of whose names are re-exported, as they are written.
    export_globs: Vec<Path>,
    /// The names of what is defined here.
    pub(super) defined: BTreeSet<String>,
    /// The modules that are declared here with `mod`, and whether only tests have them.
    pub(super) children: BTreeMap<String, bool>,
}

/// What a module names, whole: from the root of the crate.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Each path, with whatever it names besides modules at its end.
    pub(super) paths: BTreeSet<Path>,
    /// The modules of which it names everything.
    pub(super) globs: Vec<Path>,
    /// What is re-exported: the name here, and the path behind it.
    pub(super) exports: BTreeMap<String, Path>,
    /// The modules all of whose names are re-exported.
    pub(super) export_globs: Vec<Path>,
}

/// Keywords before the name of something that is defined.
const DEFINING: [&str; 8] = ["struct", "enum", "union", "trait", "fn", "const", "static", "type"];

/// Keywords that a definition or a statement begins with, whose end is a `;` or a closing brace.
const BEGINNING: [&str; 17] = [
    "pub",
    "struct",
    "enum",
    "union",
    "trait",
    "fn",
    "const",
    "static",
    "type",
    "use",
    "mod",
    "impl",
    "unsafe",
    "async",
    "extern",
    "let",
    "macro_rules",
];

/// Reads a file; `path` is that of its module. Returns its module first, then those in braces.
pub(super) fn modules(path: Path, code: &str) -> Vec<Module> {
    let tokens = tokens(code);
    let mut parser = Parser { tokens: &tokens, at: 0, done: Vec::new() };
    parser.module(path);
    parser.done.reverse();
    parser.done
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    done: Vec<Module>,
}

impl<'a> Parser<'_, 'a> {
    /// Reads up to the brace that closes the module, or to the end.
    fn module(&mut self, path: Path) {
        let mut module = Module { path, ..Module::default() };
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            match token {
                Token::Sign('{') => depth += 1,
                Token::Sign('}') if depth == 0 => break,
                Token::Sign('}') => depth -= 1,
                Token::Sign('#') => self.attribute(&mut module),
                Token::Colons => self.skip_path(),
                Token::Name("pub") if self.is_sign(0, '(') => self.visibility(&mut module),
                Token::Name("pub") if self.is_name(0, "use") => {
                    self.at += 1;
                    self.use_tree(&mut module, true);
                }
                Token::Name("use") if !self.is_sign(0, '<') => self.use_tree(&mut module, false),
                Token::Name("mod") if self.name(0).is_some() => self.declared(&mut module, false),
                Token::Name("macro_rules") if self.is_sign(0, '!') => {
                    module.defined.extend(self.name(1).map(str::to_owned));
                }
                Token::Name(keyword) if depth == 0 && DEFINING.contains(&keyword) => {
                    module.defined.extend(self.name(0).filter(|name| !DEFINING.contains(name)).map(str::to_owned));
                }
                Token::Name(first) => self.path(&mut module, first),
                Token::Sign(_) | Token::Text(_) => {}
            }
        }
        self.done.push(module);
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    /// Returns the name that is `ahead` tokens further on.
    fn name(&self, ahead: usize) -> Option<&'a str> {
        match self.tokens.get(self.at + ahead) {
            Some(Token::Name(name)) => Some(name),
            _ => None,
        }
    }

    fn is_name(&self, ahead: usize, name: &str) -> bool {
        self.name(ahead) == Some(name)
    }

    fn is_sign(&self, ahead: usize, sign: char) -> bool {
        self.tokens.get(self.at + ahead) == Some(&Token::Sign(sign))
    }

    fn is_colons(&self) -> bool {
        self.tokens.get(self.at) == Some(&Token::Colons)
    }

    /// Skips a path of another crate, or the rest of one whose beginning is no module.
    fn skip_path(&mut self) {
        while let Some(Token::Name(_) | Token::Colons) = self.tokens.get(self.at) {
            self.at += 1;
        }
    }

    /// Reads a path that is written out. A single name is no path.
    fn path(&mut self, module: &mut Module, first: &str) {
        let mut path = vec![first.to_owned()];
        while self.is_colons() && self.name(1).is_some() {
            path.extend(self.name(1).map(str::to_owned));
            self.at += 2;
        }
        if path.len() > 1 {
            module.uses.insert(path);
        }
    }

    /// Reads `pub(…)`, whose path names nothing that is used, and a `use` after it.
    fn visibility(&mut self, module: &mut Module) {
        self.skip_group();
        if self.is_name(0, "use") {
            self.at += 1;
            self.use_tree(module, true);
        }
    }

    /// Skips a group in brackets of any kind, which begins here.
    fn skip_group(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.next() {
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Reads a `mod`: a declaration, or a module in braces.
    fn declared(&mut self, module: &mut Module, is_test: bool) {
        let Some(name) = self.name(0) else { return };
        if self.is_sign(1, '{') {
            let begin = self.at + 1;
            self.at = begin + 1;
            if is_test {
                self.at = begin;
                self.skip_group();
            } else {
                self.module([module.path.as_slice(), &[name.to_owned()]].concat());
            }
        } else {
            self.at += 1;
        }
        module.children.insert(name.to_owned(), is_test);
    }

    /// Reads an attribute. Paths in its texts count (`with = "crate::x"`); what only tests have is skipped.
    fn attribute(&mut self, module: &mut Module) {
        let is_inner = self.is_sign(0, '!');
        self.at += usize::from(is_inner);
        if !self.is_sign(0, '[') {
            return;
        }
        let begin = self.at;
        self.skip_group();
        let inside = &self.tokens[begin + 1..(self.at - 1).min(self.tokens.len()).max(begin + 1)];
        assert!(
            !matches!(inside, [Token::Name("path"), Token::Sign('='), ..]),
            "{:?}: #[path] is not followed",
            module.path
        );
        for text in inside.iter().filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None }) {
            let parts: Path = text.split("::").map(str::to_owned).collect();
            if matches!(parts[0].as_str(), "crate" | "self" | "super") && parts.len() > 1 {
                module.uses.insert(parts);
            }
        }
        match inside {
            [Token::Name("cfg"), condition @ ..] if is_for_tests(condition) => {
                if is_inner {
                    self.at = self.tokens.len();
                } else {
                    self.skip_item(module);
                }
            }
            _ => {}
        }
    }

    /// Skips what an attribute belongs to: a definition, a statement, a field or a variant.
    fn skip_item(&mut self, module: &mut Module) {
        while self.is_sign(0, '#') {
            self.at += 1;
            self.skip_group();
        }
        let begin = self.at;
        if self.is_name(0, "pub") {
            self.at += 1;
            if self.is_sign(0, '(') {
                self.skip_group();
            }
        }
        if self.is_name(0, "mod") {
            self.at += 1;
            return self.declared(module, true);
        }
        let keyword = self.name(0);
        // Its braces are no end: `use a::{b};`, `const A: B = C { … };`.
        let has_value = matches!(keyword, Some("use" | "static" | "let" | "type"))
            || (keyword == Some("const") && !matches!(self.name(1), Some("fn" | "unsafe" | "extern")));
        self.at = begin;
        let is_definition = self.name(0).is_some_and(|name| BEGINNING.contains(&name));
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Sign(';') => {
                    self.at += 1;
                    return;
                }
                Token::Sign(',') if !is_definition => {
                    self.at += 1;
                    return;
                }
                Token::Sign('{') if !has_value => return self.skip_group(),
                Token::Sign('(' | '[' | '{') => self.skip_group(),
                // What it belongs to is the last in its group.
                Token::Sign(')' | ']' | '}') => return,
                _ => self.at += 1,
            }
        }
    }

    /// Reads a `use` up to its `;`.
    fn use_tree(&mut self, module: &mut Module, is_public: bool) {
        let mut leaves = Vec::new();
        if self.is_colons() {
            // `::std`: another crate, whatever is here.
            while self.next().is_some_and(|token| token != Token::Sign(';')) {}
            return;
        }
        self.tree(&[], &mut leaves);
        for leaf in leaves {
            match leaf {
                Leaf::Name(name, path) if is_public => module.exports.push((name, path)),
                Leaf::Name(name, path) => module.imports.push((name, path)),
                Leaf::All(path) if is_public => module.export_globs.push(path),
                Leaf::All(path) => module.globs.push(path),
            }
        }
    }

    /// Reads one branch of a tree, up to the `,`, `}` or `;` after it, which stays.
    fn tree(&mut self, prefix: &[String], leaves: &mut Vec<Leaf>) {
        let mut path = prefix.to_vec();
        while let Some(token) = self.tokens.get(self.at) {
            match token {
                Token::Name("as") => {
                    let name = self.name(1).unwrap_or_default().to_owned();
                    self.at += 2;
                    leaves.push(Leaf::Name(name, path));
                    return;
                }
                // `a::{self, b}` names `a`.
                Token::Name("self") if path.len() == prefix.len() && !prefix.is_empty() => self.at += 1,
                Token::Name(name) => {
                    path.push((*name).to_owned());
                    self.at += 1;
                }
                Token::Colons => self.at += 1,
                Token::Sign('*') => {
                    self.at += 1;
                    leaves.push(Leaf::All(path));
                    return;
                }
                Token::Sign('{') => {
                    self.at += 1;
                    while !self.is_sign(0, '}') && self.at < self.tokens.len() {
                        self.tree(&path, leaves);
                        self.at += usize::from(self.is_sign(0, ','));
                    }
                    self.at += 1;
                    return;
                }
                _ => break,
            }
        }
        if let Some(name) = path.last().cloned() {
            leaves.push(Leaf::Name(name, path));
        } else {
            // Nothing that a `use` may hold: skip it, so that the loop ends.
            self.at += 1;
        }
    }
}

/// What a `use` binds.
enum Leaf {
    /// A name, and the path behind it.
    Name(String, Path),
    /// All that a module holds.
    All(Path),
}

impl Module {
    /// Returns what it names, whole. A path may begin with what a `use` binds, or with a module that is declared here;
    /// one that begins with anything else is of another crate, or names what is defined here.
    pub(super) fn named(&self) -> Named {
        let whole = |path: &Path| self.whole(path, 0);
        let exports: BTreeMap<_, _> =
            self.exports.iter().filter_map(|(name, path)| Some((name.clone(), whole(path)?))).collect();
        let imported = self.imports.iter().map(|(_, path)| path);
        Named {
            paths: imported.chain(&self.uses).filter_map(whole).collect(),
            globs: self.globs.iter().filter_map(whole).collect(),
            exports,
            export_globs: self.export_globs.iter().filter_map(whole).collect(),
        }
    }

    /// `depth` bounds what names that are bound to one another could do.
    fn whole(&self, path: &[String], depth: usize) -> Option<Path> {
        const DEPTH_MAX: usize = 8;
        let (first, rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.path.clone(),
            "super" => self.path.split_last()?.1.to_vec(),
            name => {
                let bound =
                    self.imports.iter().chain(&self.exports).find(|(bound, path)| bound == name && path[0] != *name);
                match bound {
                    Some((_, path)) if depth < DEPTH_MAX => self.whole(path, depth + 1)?,
                    _ if self.children.get(name) == Some(&false) => [self.path.as_slice(), &[name.to_owned()]].concat(),
                    _ => return None,
                }
            }
        };
        let mut rest = rest;
        while let Some((part, after)) = rest.split_first().filter(|(part, _)| *part == "super") {
            debug_assert_eq!(part, "super");
            base.pop();
            rest = after;
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }
}
