//! The keys of `[data]`.

use crate::params::{Key, Kind, number, text, whole, word};

pub(super) const DATA: &[Key] = &[
    Key {
        name: "path",
        doc: "The data set, relative to the folder of this file: a folder with a publisher's files, with your own \
              tables (CSV, JSON lines, Parquet), or of an imported project; or one log of a folder with several.",
        kind: Kind::Path { default: None },
    },
    word(
        "format",
        "Family of the data set, as `recmirror import --help` lists them (`tables`: your own tables; `grouplens` is \
         an older name for MovieLens-100K), or `auto` to recognise it by the files' names and columns.",
        &crate::dataset::FORMATS,
        "auto",
    ),
    number(
        "holdout",
        "Share of each user's latest interactions that is held out: policies do not train on it and users do not \
         start with it.",
        (0.0, 0.9),
        0.2,
    ),
    word(
        "cut",
        "Where the log is cut: `user` holds out the latest share of each user's interactions, so that statistics \
         over all users know what others did after a user's cut; `global` cuts at one moment for all, and users \
         who came later have no history. The manifest and the report state the rule and the share of rows after \
         the cuts.",
        &["user", "global"],
        "user",
    ),
    text(
        "item_field",
        "Field of the items whose categories describe an item: for diversity, calibration, satiation, taste and \
         features, where these name no field of their own. Empty: the field of 2 to 1000 categories that most \
         items have; the run's manifest says which.",
        "",
    ),
    text(
        "user_field",
        "Field of the users by whose categories `acceptance_gap_field` distinguishes groups. Empty: the field of 2 to 50 categories that \
         most users have; the run's manifest says which.",
        "",
    ),
    word(
        "providers",
        "Who provides the items: `column` takes `provider_field`, else the providers that the data name; `category` \
         makes each category of `provider_field`, else of `item_field`, a provider, and an item belongs to its \
         rarest category; `seeded` draws one of `provider_count` providers for each item.",
        &["column", "category", "seeded"],
        "column",
    ),
    text("provider_field", "Field of the items for `providers`; empty leaves it to the data.", ""),
    whole("provider_count", "Providers of the rule `seeded`.", (1, 1_000_000), 100),
];
