//! Files of objectives: OpenSLO v1 (`openslo/v1`) and both forms of Sloth's format, as far as they can be kept. Texts
//! in, objectives or every mistake out; nothing is opened here. The reference by example is `docs/slos.md`.
//!
//! ```text
//! which format, which kind, where a mistake is      document.rs
//! names, and who refers to whom                     library.rs
//! metadata and annotations                          metadata.rs
//! SLO                                               slo.rs   timeWindow, durations   time.rs
//! SLI, DataSource                                   indicator.rs   PromQL            query.rs
//! AlertPolicy, AlertCondition, AlertNotificationTarget   alert.rs
//! prometheus/v1, sloth.slok.dev/v1                  sloth.rs
//! ```
//!
//! An objective over all actions takes the place of the default of its SLI; one with a filter, or over queries, stands
//! beside them.

mod alert;
mod document;
mod indicator;
mod library;
mod metadata;
mod query;
mod slo;
mod sloth;
mod time;

use std::collections::BTreeMap;

use crate::model::Sli;
use crate::slo::Objective;
use crate::values::document::{Mistake, Page, Place};

use document::Document;
use library::Library;

/// What files of objectives come to, together with the defaults that they leave in force.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slos {
    /// Every objective in force.
    pub stated: Vec<Stated>,
    /// What may stand, but is probably not meant.
    pub warnings: Vec<Mistake>,
}

/// An objective, and who said what about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stated {
    /// The objective.
    pub objective: Objective,
    /// Where its values come from.
    pub from: Origins,
}

/// By aspect, such as `target`: the file and line that says it. What nobody said is a default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origins(BTreeMap<&'static str, String>);

impl Stated {
    /// Whether it stands in a file.
    pub fn is_written(&self) -> bool {
        self.from.of("name").is_some()
    }
}

impl Origins {
    /// Where an aspect was said; `None`: nowhere.
    pub fn of(&self, aspect: &str) -> Option<&str> {
        self.0.get(aspect).map(String::as_str)
    }

    fn note(&mut self, aspect: &'static str, page: &Page, at: Place) {
        self.0.insert(aspect, format!("{}:{}", page.file(), at.line));
    }

    /// What settings of an SLI differ from its default.
    fn of_settings(objective: &Objective) -> Self {
        let default = Objective::DEFAULTS.into_iter().find(|default| default.name == objective.name);
        let Some(default) = default else { return Self::default() };
        let differ = [
            ("target", objective.target != default.target),
            ("window", objective.window != default.window),
            ("severity", objective.severity != default.severity),
            ("coverage", objective.min_coverage != default.min_coverage),
        ];
        let said = differ.into_iter().filter(|(_, differs)| *differs);
        Self(said.map(|(aspect, _)| (aspect, super::FILE.to_owned())).collect())
    }
}

/// Where an objective was read: the page and the place of its name.
type Source = (usize, Place);

impl Slos {
    /// Reads `(file name, text)` pairs. `settings` has one objective for each SLI: the defaults, as `wherefore.yaml`
    /// changes them. What a file has no word for, it takes from there.
    ///
    /// # Errors
    /// Every mistake of every file, in the order of the files.
    pub fn read(files: &[(&str, &str)], settings: &[Objective]) -> Result<Self, Vec<Mistake>> {
        let (mut pages, mut documents) = open(files);
        // Kinds stand in the order in which one refers to another, so that whoever is referred to is known.
        documents.sort_by_key(|document| document.kind);
        let mut library = Library::default();
        let mut read = Vec::new();
        for document in &documents {
            let page = &mut pages[document.page];
            for (at, stated) in document::read(page, document, &mut library, settings) {
                read.push(((document.page, at), stated));
            }
        }
        read.sort_by_key(|(source, _)| *source);
        check_names(&mut pages, &read, settings);
        let (mut mistakes, mut warnings) = (Vec::new(), Vec::new());
        for (number, mut page) in pages.into_iter().enumerate() {
            let located = |mistake| document::located(mistake, &documents, number);
            warnings.extend(page.take_warnings().into_iter().map(located));
            mistakes.extend(page.into_mistakes().into_iter().map(located));
        }
        let stated = read.into_iter().map(|(_, stated)| stated).collect();
        if mistakes.is_empty() { Ok(Self { stated: among(settings, stated), warnings }) } else { Err(mistakes) }
    }

    /// The objectives alone.
    pub fn objectives(&self) -> Vec<Objective> {
        self.stated.iter().map(|stated| stated.objective.clone()).collect()
    }
}

fn open(files: &[(&str, &str)]) -> (Vec<Page>, Vec<Document>) {
    let (mut pages, mut documents) = (Vec::new(), Vec::new());
    for (number, (file, text)) in files.iter().enumerate() {
        let (mut page, nodes) = Page::read_all(file, text);
        documents.extend(document::of(&mut page, number, nodes));
        pages.push(page);
    }
    (pages, documents)
}

/// Objectives over all actions of an SLI stand where its default would; the rest behind.
fn among(settings: &[Objective], stated: Vec<Stated>) -> Vec<Stated> {
    let (over_all, rest): (Vec<_>, Vec<_>) = stated.into_iter().partition(|it| it.objective.sli_of_all().is_some());
    let mut all = Vec::new();
    for default in settings {
        let same: Vec<Stated> = over_all.iter().filter(|it| replaces(it, default.sli_of_all())).cloned().collect();
        match same.is_empty() {
            true => all.push(Stated { from: Origins::of_settings(default), objective: default.clone() }),
            false => all.extend(same),
        }
    }
    all.extend(rest);
    all
}

fn replaces(stated: &Stated, sli: Option<Sli>) -> bool {
    sli.is_some() && stated.objective.sli_of_all() == sli
}

/// A name is the label of an objective's series, so it stands once: among all formats, and beside the defaults that
/// stay in force.
fn check_names(pages: &mut [Page], read: &[(Source, Stated)], settings: &[Objective]) {
    let mut taken = BTreeMap::new();
    for default in settings {
        if !read.iter().any(|(_, stated)| replaces(stated, default.sli_of_all())) {
            taken.insert(default.name.clone(), "the defaults".to_owned());
        }
    }
    for ((page, at), Stated { objective, .. }) in read {
        let page = &mut pages[*page];
        let here = format!("{}:{}", page.file(), at.line);
        if let Some(other) = taken.get(&objective.name) {
            page.wrong(*at, format!("objective `{}` stands twice: already in {other}", objective.name));
        } else {
            taken.insert(objective.name.clone(), here);
        }
    }
}
