//! KuaiRec, short videos of Kuaishou: `big_matrix.csv` or `small_matrix.csv`, with `user_features.csv`,
//! `social_network.csv`, `item_categories.csv`, `item_daily_features.csv` and `kuairec_caption_category.csv` if
//! present.
//!
//! Plays, likes, comments and shares of a video are those of its first day, so that no text reveals the future. Friends
//! are in `user_features.friends`. Captions hold line breaks and broken characters: rows of a wrong width are left out
//! and stated.

use super::super::clock::Instant;
use super::super::{ItemRow, UserRow};
use super::folder::Folder;
use super::publisher::{Fields, Place, Publisher, RawRow, ShownRow, Verdict, Visit};
use super::table::Table;
use super::values::{NO_ID, date, filled, first_words, id, number, number_or_text, put, put_list, seconds};
use super::{Family, Format, ImportError, Opened};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) const FAMILY: Family = Family {
    name: "kuairec",
    summary: "short videos watched on Kuaishou",
    formats: &[Format {
        name: "csv",
        files: "`big_matrix.csv` or `small_matrix.csv`, `user_features.csv`, `kuairec_caption_category.csv`, ...",
        open,
    }],
    template: include_str!("templates/kuairec.toml"),
};

struct KuaiRec {
    log: PathBuf,
    users: Option<PathBuf>,
    others: Vec<PathBuf>,
    /// True if some file is about videos.
    has_videos: bool,
    videos: BTreeMap<i64, Video>,
    friends: BTreeMap<i64, Vec<i64>>,
    notes: Vec<String>,
}

#[derive(Default)]
struct Video {
    description: Fields,
    features: Fields,
    /// The day of the reported counts, in the file's spelling.
    day: String,
}

fn open(folder: &Folder) -> Opened {
    let find = |name: &str| folder.find(&[name, &format!("data/{name}")]);
    // Both matrices lie in one folder; the big one is the log unless the small one was singled out.
    let logs = ["big_matrix.csv", "data/big_matrix.csv", "small_matrix.csv", "data/small_matrix.csv"];
    let Some(log) = folder.log(&logs) else { return Ok(None) };
    let (videos, friends) = (BTreeMap::new(), BTreeMap::new());
    let users = find("user_features.csv");
    let mut data = KuaiRec { log, users, others: Vec::new(), has_videos: false, videos, friends, notes: Vec::new() };
    type Reader = fn(&mut KuaiRec, &Path) -> Result<(), ImportError>;
    let readers: [(&str, Reader); 4] = [
        ("kuairec_caption_category.csv", KuaiRec::read_captions),
        ("item_categories.csv", KuaiRec::read_categories),
        ("item_daily_features.csv", KuaiRec::read_days),
        ("social_network.csv", KuaiRec::read_friends),
    ];
    for (name, read) in readers {
        match find(name) {
            Some(path) => {
                read(&mut data, &path)?;
                data.has_videos |= name != "social_network.csv";
                data.others.push(path);
            }
            None => data.notes.push(format!("there is no `{name}`: its fields are not shown")),
        }
    }
    Ok(Some(Box::new(data)))
}

/// The share of a video that counts as watching it: a video that starts by itself and is swiped away was not taken.
const TAKEN: f64 = 0.5;

fn is_taken(row: &RawRow) -> bool {
    row.weight.is_none_or(|share| share >= TAKEN)
}

/// Texts that mean nothing.
fn known(text: Option<&str>) -> Option<String> {
    text.filter(|text| !matches!(*text, "UNKNOWN" | "-124" | "nan")).and_then(filled)
}

/// A list as Python prints it, of texts without quotes or of numbers: `[a,b]`.
fn list(text: &str) -> Vec<String> {
    let inside = text.trim().trim_start_matches('[').trim_end_matches(']');
    inside.split(',').filter_map(|entry| filled(entry.trim().trim_matches(['\'', '"']))).collect()
}

impl KuaiRec {
    fn video(&mut self, text: &str) -> Option<&mut Video> {
        Some(self.videos.entry(text.parse().ok()?).or_default())
    }

    fn read_captions(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::csv(path)?.lenient();
        let video_at = table.need(&["video_id"])?;
        let texts = [("caption", "caption"), ("cover_text", "manual_cover_text")];
        let texts = texts.map(|(key, column)| (key, table.find(&[column])));
        let levels = ["first", "second", "third"].map(|level| table.find(&[&format!("{level}_level_category_name")]));
        let topics = table.find(&["topic_tag"]);
        let mut unnamed = 0_u64;
        while table.step()? {
            let Some(video) = self.video(table.get(video_at)) else {
                unnamed += 1;
                continue;
            };
            for (key, place) in texts {
                put(&mut video.description, key, known(table.filled(place)).and_then(|text| first_words(&text, 100)));
            }
            put_list(
                &mut video.description,
                "categories",
                levels.iter().filter_map(|&at| known(table.filled(at))).collect(),
            );
            put_list(&mut video.description, "topics", list(table.filled(topics).unwrap_or_default()));
        }
        if let Some((rows, line)) = table.skipped() {
            let first = Place::new(path, line, 0);
            self.notes.push(format!("{rows} rows of captions have a wrong number of fields (first: {first})"));
        }
        if unnamed > 0 {
            self.notes.push(format!("{unnamed} rows of captions have no number of a video"));
        }
        Ok(())
    }

    /// The numbers of a video's categories, for code; their names come with the captions.
    fn read_categories(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::csv(path)?;
        let (video_at, feat_at) = (table.need(&["video_id"])?, table.need(&["feat"])?);
        while table.step()? {
            let numbers: Vec<i64> = list(table.get(feat_at)).iter().filter_map(|code| code.parse().ok()).collect();
            let Some(video) = self.video(table.get(video_at)) else {
                return Err(table.error(format!("video_id `{}` is not a number", table.get(video_at))));
            };
            put(&mut video.features, "categories", Some(numbers));
        }
        Ok(())
    }

    /// Of the days of each video the first.
    fn read_days(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::csv(path)?;
        let (video_at, day_at) = (table.need(&["video_id"])?, table.need(&["date"])?);
        let counts =
            [("plays", "play_cnt"), ("likes", "like_cnt"), ("comments", "comment_cnt"), ("shares", "share_cnt")];
        let counts = counts.map(|(key, column)| (key, table.find(&[column])));
        let (uploaded, duration) = (table.find(&["upload_dt"]), table.find(&["video_duration"]));
        while table.step()? {
            let day = table.get(day_at).to_owned();
            let Some(video) = self.video(table.get(video_at)) else {
                return Err(table.error(format!("video_id `{}` is not a number", table.get(video_at))));
            };
            if !video.day.is_empty() && video.day <= day {
                continue;
            }
            video.day = day;
            for (key, place) in counts {
                // A value of an earlier day must not stay if this day has none.
                video.description.remove(key);
                put(&mut video.description, key, table.filled(place).and_then(number).map(Value::Number));
            }
            let seconds = table.filled(duration).and_then(number).and_then(|milliseconds| milliseconds.as_f64());
            put(
                &mut video.description,
                "seconds",
                seconds.map(|milliseconds| Value::from((milliseconds / 1e3).round() as i64)),
            );
            let time = table.filled(uploaded).and_then(date);
            put(&mut video.features, "time", time.map(|time| time.0.div_euclid(1_000)));
        }
        Ok(())
    }

    fn read_friends(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::csv(path)?;
        let (user_at, list_at) = (table.need(&["user_id"])?, table.need(&["friend_list"])?);
        while table.step()? {
            let friends = list(table.get(list_at)).iter().filter_map(|friend| friend.parse().ok()).collect();
            let user = table.get(user_at).parse();
            let user = user.map_err(|_| table.error(format!("user_id `{}` is not a number", table.get(user_at))))?;
            self.friends.insert(user, friends);
        }
        Ok(())
    }
}

impl Publisher for KuaiRec {
    fn log(&self) -> &Path {
        &self.log
    }

    fn others(&self) -> Vec<PathBuf> {
        self.users.iter().chain(&self.others).cloned().collect()
    }

    fn items(&self, visit: &mut Visit<'_, ItemRow>) -> Result<bool, ImportError> {
        let path = self.others.first().unwrap_or(&self.log);
        for (&number, video) in &self.videos {
            let (item_description, item_features) = (video.description.clone(), video.features.clone());
            let item_id = super::super::ExternalId::Number(number);
            visit(&Place::file(path), Ok(ItemRow { item_id, item_description, item_features }))?;
        }
        Ok(self.has_videos)
    }

    fn users(&self, visit: &mut Visit<'_, UserRow>) -> Result<bool, ImportError> {
        let Some(path) = &self.users else { return Ok(false) };
        let mut table = Table::csv(path)?;
        let id_at = table.need(&["user_id"])?;
        let numbers = [
            ("registered_days", "register_days"),
            ("friends", "friend_user_num"),
            ("follows", "follow_user_num"),
            ("fans", "fans_user_num"),
        ];
        let numbers = numbers.map(|(key, column)| (key, table.find(&[column])));
        let active = table.find(&["user_active_degree"]);
        let roles = [
            ("live streamer", table.find(&["is_live_streamer"])),
            ("author of videos", table.find(&["is_video_author"])),
        ];
        while table.step()? {
            let mut shown = Fields::new();
            for (key, place) in numbers {
                put(&mut shown, key, table.filled(place).map(number_or_text));
            }
            put(&mut shown, "activity", known(table.filled(active)).map(|degree| degree.replace('_', " ")));
            let roles = roles.iter().filter(|(_, place)| table.filled(*place) == Some("1"));
            put_list(&mut shown, "roles", roles.map(|(role, _)| (*role).to_owned()).collect());
            let user_id = id(table.get(id_at));
            let mut user_features = Fields::new();
            let number = table.get(id_at).parse().ok();
            put(&mut user_features, "friends", number.and_then(|number: i64| self.friends.get(&number)).cloned());
            let row = UserRow { user_id, user_description: shown, user_features };
            visit(&table.place(), if table.get(id_at).is_empty() { Err(NO_ID) } else { Ok(row) })?;
        }
        Ok(true)
    }

    fn rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        let mut table = Table::csv(&self.log)?;
        let ids = (table.need(&["user_id"])?, table.need(&["video_id"])?);
        let time = table.need(&["timestamp"])?;
        let columns = ["watch_ratio", "play_duration", "video_duration"].map(|column| table.find(&[column]));
        while table.step()? {
            visit(&table.place(), self.row(&table, ids, time, columns))?;
        }
        Ok(())
    }

    /// The watched items, as far as the log shows: at least [`TAKEN`] of the length.
    fn all_rows(&self, visit: &mut Visit<'_, RawRow>) -> Result<(), ImportError> {
        self.rows(&mut |place, verdict| match verdict {
            Ok(row) if !is_taken(&row) => Ok(()),
            verdict => visit(place, verdict),
        })
    }

    /// Videos play one after another: each is a list of its own.
    fn shown(&self, visit: &mut Visit<'_, ShownRow>) -> Result<bool, ImportError> {
        self.rows(&mut |place, verdict| match verdict {
            Ok(row) => {
                let (taken, time) = (is_taken(&row), row.time.map(Instant::of_moment));
                let mut shown = ShownRow::new(row.user, row.item, time, taken);
                (shown.slot, shown.list) = (Some(0), Some(format!("{:012}", place.line)));
                visit(place, Ok(shown))
            }
            // The pass over the rows reports it.
            Err(_) => Ok(()),
        })?;
        Ok(true)
    }

    fn notes(&self) -> Vec<String> {
        let note =
            "a video counts as taken where half of it or more was watched; the share that was watched is the weight";
        self.notes.iter().cloned().chain([note.to_owned()]).collect()
    }
}

impl KuaiRec {
    fn row(&self, table: &Table, ids: (usize, usize), time: usize, columns: [Option<usize>; 3]) -> Verdict<RawRow> {
        let (user, video) = (table.get(ids.0), table.get(ids.1));
        if user.is_empty() || video.is_empty() {
            return Err(NO_ID);
        }
        let mut row = RawRow::new(id(user), id(video), Some(seconds(table.get(time))?));
        let [ratio, played, length] = columns.map(|place| table.filled(place).and_then(number)?.as_f64());
        let ratio = ratio.filter(|ratio| (0.0..1e6).contains(ratio));
        put(&mut row.behavior, "watched_percent", ratio.map(|ratio| Value::from((ratio * 100.0).round() as i64)));
        row.weight = ratio;
        let in_seconds = |milliseconds: Option<f64>| milliseconds.map(|all| Value::from((all / 1e3).round() as i64));
        put(&mut row.behavior, "watched_seconds", in_seconds(played));
        put(&mut row.behavior, "video_seconds", in_seconds(length));
        if !self.has_videos {
            put(&mut row.item_description, "caption", Some(format!("video {}", row.item)));
            put(&mut row.item_description, "seconds", in_seconds(length));
        }
        Ok(row)
    }
}
