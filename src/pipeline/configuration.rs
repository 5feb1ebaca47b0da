//! The configuration as a journal frame: what an operator wrote, whole, so that a replay judges with what was in
//! force and needs no file.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::{Mistake, Slos};
use crate::engine::Configuration;
use crate::envelope;
use crate::model::{Constants, Severity, Sli, Span};
use crate::slo::{Objective, Window};

/// The text of a configuration: files of envelopes and objectives, and what the settings say beside them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Written {
    /// How long to wait for what.
    pub constants: Constants,
    /// Envelope files: name and text.
    pub envelopes: Vec<(String, String)>,
    /// Whether profiles are learnt. A former version learnt nothing and did not say so.
    #[serde(default)]
    pub learning: bool,
    /// Files of objectives: name and text. A former version had none.
    #[serde(default)]
    pub slos: Vec<(String, String)>,
    /// What the settings say of the objective of each SLI. What is not here is the default.
    #[serde(default)]
    pub objectives: Vec<Setting>,
}

/// The settings of one SLI's objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    sli: Sli,
    target: f64,
    window: Span,
    severity: Severity,
    min_coverage: f64,
}

impl Setting {
    /// Of the objectives that the settings give, those that are not the default.
    pub(super) fn of(objectives: &[Objective]) -> Vec<Self> {
        let changed = objectives.iter().filter(|objective| !Objective::DEFAULTS.contains(objective));
        let setting = |objective: &Objective| {
            let Objective { target, severity, min_coverage, .. } = *objective;
            let window = objective.window.length();
            Some(Self { sli: objective.sli_of_all()?, target, window, severity, min_coverage })
        };
        changed.filter_map(setting).collect()
    }

    fn applied(settings: &[Self], default: Objective) -> Objective {
        match settings.iter().find(|setting| default.sli_of_all() == Some(setting.sli)) {
            Some(Self { target, window, severity, min_coverage, .. }) => Objective {
                target: *target,
                window: Window::Rolling(*window),
                severity: *severity,
                min_coverage: *min_coverage,
                ..default
            },
            None => default,
        }
    }
}

impl Written {
    /// The body of its frame.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data")
    }

    /// Reads a frame's body.
    ///
    /// # Errors
    /// When another version wrote what this one cannot read.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// What a frame's body means.
    ///
    /// # Errors
    /// Why it cannot be read, in a sentence.
    pub fn meaning_of(bytes: &[u8]) -> Result<Configuration, String> {
        let written = Self::from_bytes(bytes).map_err(|error| error.to_string())?;
        written.meaning().map_err(|mistakes| mistakes.first().map(ToString::to_string).unwrap_or_default())
    }

    /// What it means.
    ///
    /// # Errors
    /// Every mistake of the files, which were checked before they were written.
    pub fn meaning(&self) -> Result<Configuration, Vec<Mistake>> {
        let settings = Objective::DEFAULTS.map(|default| Setting::applied(&self.objectives, default));
        Ok(Configuration {
            rules: Arc::new(envelope::parse(&borrowed(&self.envelopes))?),
            constants: self.constants,
            learning: self.learning,
            objectives: Slos::read(&borrowed(&self.slos), &settings)?.objectives().into(),
        })
    }
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, &str)> {
    files.iter().map(|(name, text)| (&**name, &**text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_a_former_version_has_the_default_objectives() {
        let constants = serde_json::to_string(&Constants::default()).expect("plain data");
        let frame = format!("{{\"constants\":{constants},\"envelopes\":[]}}");
        let meaning = Written::meaning_of(frame.as_bytes()).expect("a frame of the first version");
        assert_eq!(&*meaning.objectives, &Objective::DEFAULTS);
    }

    /// What a replay reads is what was in force: settings and files, each with its part.
    #[test]
    fn settings_and_files_come_back_from_a_frame() {
        let typed = "objectives:\n  plan_commit: { target: 98%, window: 7d, severity: ticket, min_coverage: 60% }\n\
                     \x20 envelope: { severity: ticket, min_coverage: 70% }\n";
        let config = crate::config::Config::parse("wherefore.yaml", typed, std::path::Path::new("")).expect("settings");
        let file = r#"apiVersion: openslo/v1
kind: SLO
metadata: { name: inside }
spec:
  service: agents
  indicator:
    metadata: { name: inside }
    spec:
      ratioMetric:
        counter: true
        bad: &source { metricSource: { type: wherefore, spec: { sli: envelope } } }
        total: *source
  timeWindow: [{ duration: 14d, isRolling: true }]
  budgetingMethod: Occurrences
  objectives: [{ target: 0.95 }]
"#;
        let written = Written {
            constants: config.constants,
            envelopes: Vec::new(),
            learning: true,
            slos: vec![("inside.yaml".to_owned(), file.to_owned())],
            objectives: Setting::of(&config.objectives),
        };
        let read = Written::from_bytes(&written.to_bytes()).expect("the same version");
        assert_eq!(read, written);
        let meaning = read.meaning().unwrap_or_else(|mistakes| panic!("{}", mistakes[0]));
        let of = |name: &str| meaning.objectives.iter().find(|objective| objective.name == *name);
        let (plan, inside) = (of("plan_commit").expect("of the settings"), of("inside").expect("of the file"));
        assert_eq!(
            (plan.target, &plan.window, plan.severity),
            (0.98, &Window::Rolling(Span::days(7)), Severity::Ticket)
        );
        assert_eq!((inside.target, inside.severity, inside.min_coverage), (0.95, Severity::Ticket, 0.7));
        assert_eq!(of("envelope"), None, "the file's objective stands in the place of the default");
        assert_eq!(meaning.objectives.len(), Objective::DEFAULTS.len());
    }
}
