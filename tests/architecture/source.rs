//! Reads `src`: which files there are, and which file uses an item of which other one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use regex::Regex;

/// A path in the crate, such as `domain::repo::image`.
type ModulePath = Vec<String>;

/// All source files of the crate, by their path relative to `src`.
pub struct Crate {
    files: BTreeMap<PathBuf, Source>,
    by_module: BTreeMap<ModulePath, PathBuf>,
}

/// One source file without its tests.
#[derive(Default)]
struct Source {
    module: ModulePath,
    children: BTreeSet<String>,
    defined: BTreeSet<String>,
    /// What `use` brings into scope, by the name it has in this file.
    bindings: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// Paths that are written out where they are used.
    inline: BTreeSet<Vec<String>>,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every `.rs` file below a folder of `src`, relative to `src`.
pub fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    walk(folder).iter().map(|file| file.strip_prefix(root()).unwrap().to_owned()).collect()
}

/// Every `.rs` file below a folder.
pub fn walk(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.insert(path);
        }
    }
    found
}

/// Whether a file holds nothing but tests: it is below `tests`, or declared for tests only.
pub fn is_test(file: &Path) -> bool {
    if file.iter().any(|part| part == "tests" || part == "tests.rs") {
        return true;
    }
    let folder = file.parent().unwrap();
    let parents = [folder.join("mod.rs"), folder.with_extension("rs"), PathBuf::from("lib.rs")];
    let declaration =
        format!(r"#\[cfg\(test\)\]\n(pub(\(\w+\))? )?mod {};", file.file_stem().unwrap().to_str().unwrap());
    let parent = parents.iter().find_map(|parent| fs::read_to_string(root().join(parent)).ok());
    Regex::new(&declaration).unwrap().is_match(&parent.unwrap_or_default())
}

/// The lines in front of the inline tests, without line comments.
pub fn production(file: &Path) -> String {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.map(|line| format!("{line}\n")).collect();
    code.split("#[cfg(test)]\nmod ").next().unwrap().to_owned()
}

/// The path in the crate that a file has, if it is part of the library.
fn module_path(file: &Path) -> ModulePath {
    let mut path: ModulePath = file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|name| name == "mod" || name == "lib") {
        path.pop();
    }
    path
}

impl Crate {
    pub fn read() -> Self {
        let mut files = BTreeMap::new();
        for path in files_below(&root()).into_iter().filter(|path| !is_test(path) && path != Path::new("main.rs")) {
            let text = fs::read_to_string(root().join(&path)).unwrap();
            let mut source = Source { module: module_path(&path), ..Source::default() };
            source.scan(text.parse().unwrap());
            files.insert(path, source);
        }
        let by_module = files.iter().map(|(path, source)| (source.module.clone(), path.clone())).collect();
        Self { files, by_module }
    }

    /// For each file the other files that define something it uses. A name that a module passes on with `pub use`
    /// counts for the file that defines it.
    pub fn uses(&self) -> BTreeMap<&Path, BTreeSet<&Path>> {
        let of = |(path, source): (&'_ PathBuf, &'_ Source)| {
            let named = source.bindings.values().chain(&source.inline);
            let mut used: BTreeSet<_> = named.filter_map(|name| self.resolve(source, name, 0)).collect();
            used.extend(source.globs.iter().filter_map(|glob| self.module(source, glob)));
            used.remove(path.as_path());
            used
        };
        self.files.iter().map(|(path, source)| (path.as_path(), of((path, source)))).collect()
    }

    /// The file of a module that is named in `source`.
    fn module(&self, source: &Source, name: &[String]) -> Option<&Path> {
        let absolute = self.absolute(source, name, 0)?;
        self.by_module.get(&absolute).map(PathBuf::as_path)
    }

    /// A path that is written in `source` as a path from the root of the crate; `None` if it leads out of it.
    fn absolute(&self, source: &Source, name: &[String], depth: usize) -> Option<ModulePath> {
        let first = name.first()?.as_str();
        let (mut path, rest) = match first {
            "crate" => (Vec::new(), &name[1..]),
            "self" => (source.module.clone(), &name[1..]),
            "super" => {
                let up = name.iter().take_while(|part| *part == "super").count();
                (source.module[..source.module.len().checked_sub(up)?].to_vec(), &name[up..])
            }
            _ if source.children.contains(first) => (source.module.clone(), name),
            _ => {
                let bound =
                    source.bindings.get(first).filter(|bound| bound.first().is_none_or(|part| part != first))?;
                assert!(depth < 20, "{name:?} of {:?} leads round in a circle", source.module);
                (self.absolute(source, bound, depth + 1)?, &name[1..])
            }
        };
        path.extend_from_slice(rest);
        Some(path)
    }

    /// The file that defines what `name` means in `source`.
    fn resolve(&self, source: &Source, name: &[String], depth: usize) -> Option<&Path> {
        let path = self.absolute(source, name, depth)?;
        let split = (0..=path.len()).rev().find(|&length| self.by_module.contains_key(&path[..length]))?;
        let (file, rest) = (&self.by_module[&path[..split]], &path[split..]);
        let (owner, item) = (&self.files[file], rest.first()?);
        if owner.defined.contains(item) || depth > 20 {
            return Some(file);
        }
        if let Some(passed_on) = owner.bindings.get(item) {
            // What comes from another folder counts for the file that passes it on.
            let defined =
                self.resolve(owner, passed_on, depth + 1).filter(|origin| origin.iter().next() == file.iter().next());
            return Some(defined.unwrap_or(file));
        }
        let through = |glob: &Vec<String>| {
            let module = self.module(owner, glob)?;
            self.files[module].defined.contains(item).then_some(module)
        };
        owner.globs.iter().find_map(through).or(Some(file))
    }
}

impl Source {
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if is_cfg_test(&tokens[at..]) {
                at += 2;
                while at < tokens.len() && !ends_item(&tokens[at]) {
                    at += 1;
                }
            } else if let TokenTree::Group(group) = &tokens[at] {
                self.scan(group.stream());
            } else if let TokenTree::Ident(word) = &tokens[at] {
                let name = |at: usize| match tokens.get(at) {
                    Some(TokenTree::Ident(name)) => Some(name.to_string()),
                    _ => None,
                };
                match word.to_string().as_str() {
                    "use" => {
                        let end = tokens[at..]
                            .iter()
                            .position(|token| is_punct(token, ';'))
                            .map_or(tokens.len(), |end| at + end);
                        self.add_use(&[], &tokens[at + 1..end]);
                        at = end;
                    }
                    "mod" if tokens.get(at + 2).is_some_and(|token| is_punct(token, ';')) => {
                        self.children.extend(name(at + 1));
                    }
                    "struct" | "enum" | "trait" | "type" | "fn" | "const" | "static" | "union" => {
                        self.defined.extend(name(at + 1));
                    }
                    "macro_rules" => self.defined.extend(name(at + 2)),
                    _ => {
                        let (path, end) = path_at(&tokens, at);
                        at = end;
                        if path.len() > 1 {
                            self.inline.insert(path);
                        }
                    }
                }
            }
            at += 1;
        }
    }

    /// Adds what one tree of a `use` brings into scope.
    fn add_use(&mut self, prefix: &[String], tree: &[TokenTree]) {
        if tree.is_empty() {
            return;
        }
        let (mut path, end) = path_at(tree, 0);
        path.splice(0..0, prefix.iter().cloned());
        match tree.get(if path.len() == prefix.len() { 0 } else { end + 3 }) {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                inner.split(|token| is_punct(token, ',')).for_each(|tree| self.add_use(&path, tree));
            }
            Some(token) if is_punct(token, '*') => self.globs.push(path),
            _ => {
                if path.last().is_some_and(|name| name == "self") && path.len() > 1 {
                    path.pop();
                }
                let alias = match (tree.get(end + 1), tree.get(end + 2)) {
                    (Some(TokenTree::Ident(as_)), Some(TokenTree::Ident(alias))) if as_ == "as" => {
                        Some(alias.to_string())
                    }
                    _ => path.last().cloned(),
                };
                self.bindings.extend(alias.map(|name| (name, path)));
            }
        }
    }
}

/// The path that begins at a token, and the index of its last token.
fn path_at(tokens: &[TokenTree], start: usize) -> (Vec<String>, usize) {
    let (mut path, mut end, mut at) = (Vec::new(), start, start);
    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
        path.push(name.to_string());
        end = at;
        if !(tokens.get(at + 1).is_some_and(|token| is_punct(token, ':'))
            && tokens.get(at + 2).is_some_and(|token| is_punct(token, ':')))
        {
            break;
        }
        at += 3;
    }
    (path, end)
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_cfg_test(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [hash, TokenTree::Group(attribute), ..]
        if is_punct(hash, '#') && attribute.stream().to_string().replace(' ', "") == "cfg(test)")
}

fn ends_item(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
        || is_punct(token, ';')
        || is_punct(token, ',')
}
