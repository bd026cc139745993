//! The data of the page, formatted.

use super::charts::{Row, forest, positions, reliability};
use crate::align::scenes::{ReliabilityBin, SceneAlignment, SceneFigure, Scope};
use crate::align::{Agreement, OrderFigure, PolicyOrder, SELF_SELECTED, Share, StartPolicy, comparison_sentences};
use crate::report::percent;
use crate::report::svg::{Caption, minus};
use serde::Serialize;

/// Colours of models; users and rules are grey.
const STYLES: [&str; 7] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];
const NEUTRAL: &str = "base";
const CHANCE: &str = "chance";
/// Rules that ignore the user and are shown even if another one is better.
const SHOWN: [&str; 4] = [CHANCE, "popularity", "words of the history", "item-kNN"];

#[derive(Serialize)]
pub(super) struct View {
    title: String,
    style: &'static str,
    version: &'static str,
    answer: String,
    more: Vec<String>,
    groups: Vec<GroupView>,
    legend: Vec<(String, &'static str)>,
    reliability: Option<String>,
    positions: Option<String>,
    notes: Vec<String>,
    facts: Vec<(String, String)>,
    table: Vec<TableGroup>,
    order: Option<OrderView>,
}

#[derive(Serialize)]
struct OrderView {
    summary: String,
    metric: String,
    rows: Vec<[String; 3]>,
    left_out: Vec<String>,
}

#[derive(Serialize)]
struct GroupView {
    title: String,
    scenes: usize,
    users: usize,
    svg: String,
}

#[derive(Serialize)]
struct TableGroup {
    title: String,
    rows: Vec<[String; 4]>,
}

impl View {
    pub(super) fn new(found: &SceneAlignment, style: &'static str) -> View {
        let groups: Vec<&[SceneFigure]> = found.figures.chunk_by(|a, b| a.group() == b.group()).collect();
        let models: Vec<&str> = found.contenders.iter().map(|of| of.name.as_str()).collect();
        let class = |who: &str| {
            let is_of = |model: &&str| who == *model || who.starts_with(&format!("{model}, "));
            models.iter().position(is_of).map_or(NEUTRAL, |place| STYLES[place % STYLES.len()])
        };
        let legend = models.iter().map(|model| ((*model).to_owned(), class(model)));
        let all = groups.first().copied().unwrap_or_default();
        let [reliability, positions] = answers(found, all, &class);
        let (answer, more) = summary(found);
        View {
            title: format!("Alignment of {} with users", found.model),
            style,
            version: found.version,
            answer,
            more,
            groups: groups.iter().enumerate().map(|(nth, figures)| group(nth, figures, found, &class)).collect(),
            legend: legend.chain([("users and rules".to_owned(), NEUTRAL)]).collect(),
            reliability,
            positions,
            notes: notes(found),
            facts: facts(found),
            table: groups.iter().map(|figures| table(figures, title(figures, found))).collect(),
            order: found.policy_order.as_ref().map(order),
        }
    }
}

/// The charts of confidence and of positions.
fn answers(found: &SceneAlignment, all: &[SceneFigure], class: &dyn Fn(&str) -> &'static str) -> [Option<String>; 2] {
    let bins =
        |model: &str| -> Vec<&ReliabilityBin> { found.reliability.iter().filter(|bin| bin.who == model).collect() };
    let shares = |who: &str, start: &str| -> Vec<&SceneFigure> {
        all.iter().filter(|of| of.who == who && of.measure.starts_with(start)).collect()
    };
    let names = || found.contenders.iter().map(|of| of.name.as_str());
    let sure: Vec<_> = names().map(|model| (class(model), bins(model))).collect();
    let mut places = vec![(NEUTRAL, shares(&found.model, "real at "))];
    places.extend(names().map(|model| (class(model), shares(model, "chosen at "))));
    [
        reliability(&caption("reliability", "Reliability", "Accuracy against confidence."), &sure),
        positions(&caption("positions", "Places", "Shares of the places chosen."), &places),
    ]
}

fn caption<'a>(id: &str, title: &'a str, description: &'a str) -> Caption<'a> {
    Caption { id: id.to_owned(), title, description }
}

fn accuracies(figures: &[SceneFigure]) -> impl Iterator<Item = &SceneFigure> {
    figures.iter().filter(|of| of.measure == "accuracy")
}

/// The best of the rules that ignore the user.
fn best<'a>(figures: &'a [SceneFigure], found: &SceneAlignment) -> Option<&'a SceneFigure> {
    let mut rules: Vec<&SceneFigure> = accuracies(figures).filter(|of| found.user_free.contains(&of.who)).collect();
    rules.sort_by(|a, b| b.estimate.total_cmp(&a.estimate));
    rules.first().copied()
}

fn group(
    nth: usize,
    figures: &[SceneFigure],
    found: &SceneAlignment,
    class: &dyn Fn(&str) -> &'static str,
) -> GroupView {
    let best = best(figures, found);
    let is_shown = |of: &&SceneFigure| {
        class(&of.who) != NEUTRAL || SHOWN.contains(&of.who.as_str()) || best.is_some_and(|best| best.who == of.who)
    };
    let row = |figure| {
        let figure: &SceneFigure = figure;
        let is_best = best.is_some_and(|best| best.who == figure.who);
        let name = if is_best { format!("{} (best that sees no user)", figure.who) } else { figure.who.clone() };
        Row { name, class: class(&figure.who), figure }
    };
    let rows: Vec<Row<'_>> = accuracies(figures).filter(is_shown).map(row).collect();
    let guess = rows.iter().find(|row| row.figure.who == CHANCE).map_or(0.0, |row| row.figure.estimate);
    let caption = caption(&format!("forest-{nth}"), "Choice accuracy", "A dot for each, with its 95% interval.");
    let title = title(figures, found);
    let (scenes, users) = figures.first().map_or((0, 0), |of| (of.scenes, of.users));
    GroupView { title, scenes, users, svg: forest(&caption, &rows, guess) }
}

/// The name of a group: the kind of its lists if there is only one kind.
fn title(figures: &[SceneFigure], found: &SceneAlignment) -> String {
    let name = figures.first().map(SceneFigure::group_name).unwrap_or_default();
    match found.only_list() {
        Some(list) => name.replace("all scenes", &format!("{list} lists")),
        None => name,
    }
}

fn with_interval(of: &SceneFigure) -> String {
    match of.low.is_finite() {
        true => format!("{} ({} to {})", percent(of.estimate), percent(of.low), percent(of.high)),
        false => percent(of.estimate),
    }
}

/// A summary of the figures in a few sentences: the first one, and the others.
fn summary(found: &SceneAlignment) -> (String, Vec<String>) {
    let list = found.headline_list();
    let of = |measure: &str, who: &str| -> Option<&SceneFigure> {
        found.figure(list, Scope::All, who, measure).filter(|of| of.estimate.is_finite())
    };
    let model = found.model.as_str();
    let Some(own) = of("accuracy", model) else {
        return (format!("{model} was asked about {} scenes.", found.scenes), Vec::new());
    };
    let lists = list.or_else(|| found.only_list()).map_or("all scenes".to_owned(), |list| format!("{list} lists"));
    let answer = format!(
        "On {lists} ({} scenes of {} users), {model} picks what the user took in {}; a guess in {}.",
        own.scenes,
        own.users,
        with_interval(own),
        percent(of("accuracy", CHANCE).map_or(0.0, |of| of.estimate))
    );
    let mut more: Vec<String> = personal(model, &of).into_iter().collect();
    let group: Vec<SceneFigure> =
        found.figures.iter().filter(|figure| figure.group() == own.group()).cloned().collect();
    if let Some(rule) = best(&group, found) {
        let found = percent(rule.estimate);
        more.push(format!("The best rule that never looks at the user ({}) finds {found}.", rule.who));
    }
    let share = |who: &str| {
        of("accuracy", who).filter(|of| of.low.is_finite()).map(|of| Share {
            estimate: of.estimate,
            low: of.low,
            high: of.high,
        })
    };
    let swapped = share(&format!("{model}, another user's memory"));
    if let Some(own) = share(model) {
        more.extend(comparison_sentences(lists.trim_end_matches(" lists"), own, share("item-kNN"), swapped));
    }
    more.extend(["largest rotation gap", "largest position gap"].iter().find_map(|measure| {
        let points = points(of(measure, model)?.estimate);
        Some(format!("No place of a list is chosen more or less often than its share by more than {points} points."))
    }));
    (answer, more)
}

/// The accuracy lost with another user's memory.
fn personal<'a>(model: &str, of: &dyn Fn(&str, &str) -> Option<&'a SceneFigure>) -> Option<String> {
    let swapped = format!("{model}, another user's memory");
    let (strange, lead) = (of("accuracy", &swapped)?, of(&format!("lead over {swapped}"), model)?);
    Some(format!(
        "With another user's memory it picks the same item in {}: {} points of its accuracy ({} to {}) are personal.",
        percent(strange.estimate),
        points(lead.estimate),
        points(lead.low),
        points(lead.high)
    ))
}

fn points(value: f64) -> String {
    minus(&format!("{:.1}", 100.0 * value))
}

fn notes(found: &SceneAlignment) -> Vec<String> {
    let mut notes = found.notes.clone();
    if let Some(unseen) = found.unseen {
        notes.push(format!(
            "A model was trained on the first part of each user's log. {unseen} of {} scenes lie after it (\"unseen\"); on the \
             others that model may have seen the answer.",
            found.scenes
        ));
    }
    if found.left_out > 0 {
        notes
            .push(format!("{} scenes are left out for all, because some model has no answer to them.", found.left_out));
    }
    notes
}

fn facts(found: &SceneAlignment) -> Vec<(String, String)> {
    let mut facts = vec![
        ("files".to_owned(), found.files.join(", ")),
        ("seed".to_owned(), found.seed.to_string()),
        ("drawn answers".to_owned(), format!("{} a scene, nucleus {}", found.repeats, found.top_p)),
    ];
    for of in &found.contenders {
        let prompts = of.prompts.as_ref().map(|prompts| format!(", prompts {prompts}")).unwrap_or_default();
        let asked = format!(
            "{} {}{prompts}; {} questions, {} unanswered",
            of.kind, of.fingerprint, of.questions, of.unanswered
        );
        facts.push((of.name.clone(), asked));
    }
    facts
}

fn table(figures: &[SceneFigure], title: String) -> TableGroup {
    let number = |value: f64| if value.is_finite() { format!("{value:.3}") } else { "\u{2013}".to_owned() };
    let row = |of: &SceneFigure| {
        let interval = format!("{} to {}", number(of.low), number(of.high));
        let interval = if of.low.is_finite() { interval } else { "\u{2013}".to_owned() };
        [of.who.clone(), of.measure.clone(), minus(&number(of.estimate)), minus(&interval)]
    };
    TableGroup { title, rows: figures.iter().map(row).collect() }
}

fn order(found: &PolicyOrder) -> OrderView {
    let number = |value: f64| if value.is_finite() { minus(&format!("{value:.2}")) } else { "\u{2013}".to_owned() };
    let with = |of: &OrderFigure| format!("{} ({} to {})", number(of.estimate), number(of.low), number(of.high));
    let agreement = |of: &Agreement| {
        format!(
            "By {} Spearman's correlation is {}; of the pairs of policies {} agree, {} disagree and {} are too close on one side.",
            of.measure,
            with(&of.spearman),
            of.agree,
            of.disagree,
            of.too_close
        )
    };
    let mut sentences = vec![format!(
        "First slates of {} frozen policies of {} for {} users: the probability that the model accepts something of them, and what \
         they find of the held-out interactions.",
        found.policies.len(),
        found.scenario,
        found.users
    )];
    sentences.extend(found.agreements.iter().map(agreement));
    sentences.extend(found.learning.iter().map(|of| {
        format!(
            "What learning adds: the order at the end of a run correlates with that of policies that learned on half of the held-out \
             interactions at {}, what learning adds on both sides at {}.",
            with(&of.spearman_replayed),
            with(&of.spearman_gain)
        )
    }));
    sentences.push(format!("But {SELF_SELECTED}."));
    let value = |of: &OrderFigure| format!("{:.4}", of.estimate);
    let row = |of: &StartPolicy| [of.policy.clone(), value(&of.simulated), value(&of.ndcg)];
    OrderView {
        summary: sentences.join(" "),
        metric: "simulated value".to_owned(),
        rows: found.policies.iter().map(row).collect(),
        left_out: found.left_out.clone(),
    }
}
