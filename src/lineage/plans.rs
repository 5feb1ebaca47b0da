//! The plans of a turn, one after another: which one was known when somebody approved it, and which when a call ran.

use crate::model::{PlanText, Shared};

use super::state::TurnState;

/// How many plans of a turn are kept: the first, and the latest.
const PLANS: usize = 64;

impl TurnState {
    /// Keeps a plan. True when it is new.
    pub(super) fn keep_plan(&mut self, plan: Shared<PlanText>) -> bool {
        let plan = (plan.at, plan);
        let mut changed = self.plans.insert(plan.clone());
        while self.plans.len() > PLANS {
            let Some(second) = self.plans.iter().nth(1).cloned() else { break };
            changed &= second != plan;
            self.plans.remove(&second);
        }
        changed
    }

    /// Every plan by time, without those that only repeat the one before. A repetition may tell the id.
    pub(super) fn plan_versions(&self) -> Vec<Shared<PlanText>> {
        let mut versions: Vec<Shared<PlanText>> = Vec::new();
        for (_, plan) in &self.plans {
            match versions.last_mut().filter(|last| is_same(&last.value, &plan.value)) {
                Some(last) => last.value.id = last.value.id.take().or(plan.value.id.clone()),
                None => versions.push(plan.clone()),
            }
        }
        versions
    }
}

fn is_same(one: &PlanText, other: &PlanText) -> bool {
    let id = one.id.is_none() || other.id.is_none() || one.id == other.id;
    id && one.text.digest == other.text.digest
}
