use super::write::hash;
use super::*;
use crate::dataset::{IdTable, NO_CATEGORY};

const NAN: f32 = f32::NAN;

fn field(name: &str, column: Column) -> Field {
    Field { name: name.to_owned(), column }
}

/// A field with the names of each row.
fn categories(name: &str, rows: &[&[&str]]) -> Field {
    let (mut names, mut offsets, mut codes) = (IdTable::default(), vec![0], Vec::new());
    for row in rows {
        let mut found: Vec<u32> = row.iter().map(|name| names.insert(name).0).collect();
        found.sort_unstable();
        codes.extend(found);
        offsets.push(codes.len() as u32);
    }
    field(name, Column::Categories { names, offsets, codes })
}

fn fit(fields: &[Field], options: EncodingOptions) -> Encoding {
    let (encoding, skipped) = Encoding::fit(fields, options);
    assert_eq!(skipped, []);
    encoding
}

fn encode(encoding: &Encoding, fields: Vec<Field>) -> Encoded {
    let rows = fields[0].column.len();
    encoding.encode(&Fields::new(fields), rows).expect("these fields")
}

fn near(found: impl IntoIterator<Item = f32>, wanted: &[f64]) {
    let found: Vec<f32> = found.into_iter().collect();
    assert_eq!(found.len(), wanted.len());
    let far = found.iter().zip(wanted).find(|(found, wanted)| (f64::from(**found) - **wanted).abs() > 1e-6);
    assert!(far.is_none(), "{found:?} is not {wanted:?}");
}

#[test]
fn categories_by_hand() {
    let rows: [&[&str]; 5] = [&["b", "a"], &["a"], &[], &["a", "b", "c", "d"], &["c"]];
    let options = EncodingOptions { names: 2, ..EncodingOptions::default() };
    let encoding = fit(&[categories("tag", &rows)], options);
    // a is in three rows, b and c in two each, d in one.
    assert_eq!(encoding.columns(), ["tag=a", "tag=b", "tag=(other)", "tag=(missing)"]);
    let Encoded { table, drift } = encode(&encoding, vec![categories("tag", &rows)]);
    let root = 0.5f64.sqrt();
    near(
        table,
        &[
            [root, root, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
            [0.5, 0.5, root, 0.0],
            [0.0, 0.0, 1.0, 0.0],
        ]
        .concat(),
    );
    assert_eq!(drift, [Drift::OtherNames { field: "tag".into(), names: 2, rows: 2, first: "c".into() }]);
    assert!(drift[0].to_string().starts_with("2 names of `tag` have no column (`c` is the first)"), "{}", drift[0]);
}

#[test]
fn one_category_a_row_is_one_hot() {
    let mut names = IdTable::default();
    ["red", "blue"].iter().for_each(|name| {
        names.insert(name);
    });
    let column = Column::Category { names, codes: vec![0, 1, NO_CATEGORY, 1] };
    let encoding = fit(&[field("colour", column.clone())], EncodingOptions { least: 1, ..EncodingOptions::default() });
    assert_eq!(encoding.columns(), ["colour=blue", "colour=red", "colour=(other)", "colour=(missing)"]);
    let found = encode(&encoding, vec![field("colour", column)]);
    near(found.table, &[0., 1., 0., 0., 1., 0., 0., 0., 0., 0., 0., 1., 1., 0., 0., 0.]);
    assert_eq!(found.drift, []);
}

#[test]
fn numbers_and_times_by_hand() {
    let year = 31_556_952_000;
    let numbers = || field("price", Column::Number(vec![1.0, NAN, 3.0, 5.0]));
    let times = || field("made", Column::Time(vec![Some(0), Some(2 * year), None, Some(4 * year)]));
    let encoding = fit(&[numbers(), times()], EncodingOptions::default());
    assert_eq!(encoding.columns(), ["price", "price=(missing)", "made", "made=(missing)"]);
    // Mean 3 and deviation sqrt(8 / 3); mean 2 and the same deviation.
    let step = 2.0 / (8.0f64 / 3.0).sqrt();
    let found = encode(&encoding, vec![numbers(), times()]);
    near(found.table, &[-step, 0., -step, 0., 0., 1., 0., 0., 0., 0., 0., 1., step, 0., step, 0.]);
    assert_eq!(found.drift, []);
    let far = encode(
        &encoding,
        vec![field("price", Column::Number(vec![1e30, f32::INFINITY])), {
            field("made", Column::Time(vec![Some(i64::MIN), None]))
        }],
    );
    near(far.table, &[LIMIT, 0., -LIMIT, 0., 0., 1., 0., 1.]);
    assert_eq!(far.drift[0], Drift::Cut { field: "price".into(), rows: 1 });
    assert_eq!(far.drift.len(), 2);
}

#[test]
fn skewed_numbers_are_taken_by_their_logarithm() {
    let values: Vec<f32> = std::iter::successors(Some(1.0f32), |value| Some(value * 1.5)).take(40).collect();
    let encoding = fit(&[field("plays", Column::Number(values.clone()))], EncodingOptions::default());
    let FieldEncoding::Number { log, mean, deviation, .. } = &encoding.fields[0] else { panic!("{encoding:?}") };
    assert!(*log);
    let by_hand: Vec<f64> = values.iter().map(|&value| libm::log(1.0 + f64::from(value))).collect();
    assert!((mean - by_hand.iter().sum::<f64>() / 40.0).abs() < 1e-9);
    let found = encode(&encoding, vec![field("plays", Column::Number(vec![-3.0, 0.0]))]);
    near(found.table.column(0).iter().copied(), &[-mean / deviation; 2]);
    // Below 0 there is no logarithm, however skewed.
    let values = values.into_iter().chain([-1.0]).collect();
    let encoding = fit(&[field("balance", Column::Number(values))], EncodingOptions::default());
    assert!(matches!(&encoding.fields[0], FieldEncoding::Number { log: false, .. }));
}

#[test]
fn words_are_hashed_with_signs() {
    let texts = ["red fish", "Fish, red!", "", "red", "fish", "red red fish", "?"].map(str::to_owned).to_vec();
    let encoding = fit(&[field("title", Column::Text(texts.clone()))], EncodingOptions::default());
    assert_eq!((encoding.width(), encoding.columns()[3].as_str()), (65, "title#3"));
    let table = encode(&encoding, vec![field("title", Column::Text(texts))]).table;
    assert_eq!(table.row(0), table.row(1));
    for (row, missing) in [(0, 0.0), (2, 1.0), (3, 0.0), (6, 1.0)] {
        let length: f32 = table.row(row).iter().take(64).map(|value| value * value).sum();
        assert!((length - (1.0 - missing)).abs() < 1e-6, "{row}");
        assert_eq!(table[(row, 64)], missing);
    }
    let (red, fish) = (table.row(3), table.row(4));
    assert_eq!((red.dot(&red), red.dot(&fish)), (1.0, 0.0));
    near([table.row(0).dot(&red)], &[0.5f64.sqrt()]);
    let twice = 1.0 + libm::log(2.0);
    near([table.row(5).dot(&red)], &[twice / (1.0 + twice * twice).sqrt()]);
    // Both signs are in use.
    let signs: BTreeSet<bool> = (0..100).map(|word| hash(&format!("word{word}")) >> 63 == 0).collect();
    assert_eq!(signs.len(), 2);
}

#[test]
fn vectors_stay_as_they_are() {
    let vectors = |values: &[f32]| field("picture", Column::Vector { width: 2, values: values.to_vec() });
    let encoding = fit(&[vectors(&[1.0, 2.0, NAN, NAN])], EncodingOptions::default());
    let found = encode(&encoding, vec![vectors(&[3.0, -4.0, NAN, NAN, 1.0, NAN])]);
    near(found.table, &[3., -4., 0., 0., 0., 1., 0., 0., 1.]);
    let other = Fields::new(vec![field("picture", Column::Vector { width: 3, values: vec![0.0; 3] })]);
    let problem = encoding.encode(&other, 1).expect_err("another width");
    assert_eq!(problem, EncodingError::Width { field: "picture".into(), found: 3, wanted: 2 });
}

#[test]
fn a_field_that_is_absent_counts_as_missing_and_one_of_another_type_is_refused() {
    let encoding = fit(
        &[categories("tag", &[&["a"], &["a"], &[]]), field("price", Column::Number(vec![1.0, 2.0, 3.0]))],
        EncodingOptions::default(),
    );
    let found = encoding.encode(&Fields::default(), 2).expect("nothing");
    near(found.table, &[0., 0., 1., 0., 1., 0., 0., 1., 0., 1.]);
    assert_eq!(found.drift, [Drift::Absent { field: "tag".into() }, Drift::Absent { field: "price".into() }]);
    let text = Fields::new(vec![field("price", Column::Text(vec!["cheap".into()]))]);
    let problem = encoding.encode(&text, 1).expect_err("another type").to_string();
    assert!(problem.contains("`price` is of type text, and the model was made for type number"), "{problem}");
}

#[test]
fn fields_that_distinguish_nothing_are_left_out_and_named() {
    let fields = [
        categories("same", &[&["a"], &["a"]]),
        categories("none", &[&[], &[]]),
        categories("each", &[&["a"], &["b"]]),
        field("two", Column::Number(vec![2.0, 2.0])),
        field("unset", Column::Number(vec![NAN, NAN])),
        field("blank", Column::Text(vec![String::new(); 2])),
        field("empty", Column::Vector { width: 1, values: vec![NAN, NAN] }),
        field("day", Column::Time(vec![Some(1), Some(1)])),
    ];
    let (encoding, skipped) = Encoding::fit(&fields, EncodingOptions::default());
    assert_eq!(encoding, Encoding::default());
    let reasons: Vec<_> = skipped.iter().map(|it| (it.field.as_str(), it.reason)).collect();
    let wanted = [
        ("same", CONSTANT),
        ("none", EMPTY),
        ("each", RARE),
        ("two", CONSTANT),
        ("unset", EMPTY),
        ("blank", CONSTANT),
        ("empty", EMPTY),
        ("day", CONSTANT),
    ];
    assert_eq!(reasons, wanted);
}

#[test]
fn the_order_of_rows_changes_no_encoding_and_cards_keep_every_bit() {
    let values: Vec<f32> = (0..50).map(|value| (value * value % 17) as f32 + 0.1).collect();
    let tags: Vec<&[&str]> = (0..50).map(|row| [&["x", "y"][..], &["z"][..], &["w", "x"][..]][row % 3]).collect();
    let of = |values: Vec<f32>, tags: &[&[&str]]| {
        fit(&[field("n", Column::Number(values)), categories("t", tags)], EncodingOptions::default())
    };
    let encoding = of(values.clone(), &tags);
    let turned: Vec<&[&str]> = tags.iter().rev().copied().collect();
    assert_eq!(of(values.into_iter().rev().collect(), &turned), encoding);
    let text = toml::to_string(&encoding).expect("TOML");
    assert_eq!(toml::from_str::<Encoding>(&text).expect("the same TOML"), encoding, "{text}");
    let unknown = text.replacen("field =", "colour = 1\nfield =", 1);
    assert!(toml::from_str::<Encoding>(&unknown).expect_err("an unknown key").to_string().contains("colour"));
}

#[test]
fn a_row_depends_on_itself_alone() {
    let rows: [&[&str]; 4] = [&["a"], &["b", "a"], &["q"], &[]];
    let encoding = fit(&[categories("tag", &rows)], EncodingOptions { least: 1, ..EncodingOptions::default() });
    let all = encode(&encoding, vec![categories("tag", &rows)]).table;
    for (row, names) in rows.iter().enumerate() {
        let alone = encode(&encoding, vec![categories("tag", &[names])]).table;
        assert_eq!(alone.row(0), all.row(row));
    }
}
