//! Templates of Jinja that come with models and data, rendered within bounds.
//!
//! A template is a program. Fuel bounds its computation and allocation (minijinja charges both,
//! `Environment::set_fuel`); its nesting is bounded before it is parsed, because the depth of parsing is that of the
//! template.

mod growth;

use crate::guard::guarded;
use minijinja::value::Kwargs;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Fuel of one rendering: about half a million steps, or 32 MB.
const FUEL: u64 = 500_000;

/// The most tags of a template.
const MOST_TAGS: usize = 2_000;

/// The most spaces of an indentation.
const MOST_INDENT: u64 = 16;

/// Stack of a rendering whose loops may nest lists as deep as its fuel reaches: each is taken apart by a call of its own.
const DEEP_STACK: usize = 256 << 20;

/// The most words and signs of one tag. Each may nest one step deeper: `not not not ... x`.
const MOST_WORDS: usize = 500;

/// The most `elif` of one template: each nests one step deeper than the one before it.
const MOST_BRANCHES: usize = 200;

/// An environment whose templates have little fuel.
pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.add_filter("tojson", to_json);
    environment
}

/// The filter of this name, which charges for its text only once it is there.
fn to_json(value: &Value, indent: Option<Value>, arguments: Kwargs) -> Result<Value, Error> {
    let named: Option<Value> = arguments.peek("indent")?;
    let widest = [&indent, &named].into_iter().flatten().filter_map(|indent| u64::try_from(indent.clone()).ok()).max();
    if widest.is_some_and(|indent| indent > MOST_INDENT) {
        let problem = format!("tojson() indents by at most {MOST_INDENT}");
        return Err(Error::new(ErrorKind::InvalidOperation, problem));
    }
    minijinja::filters::tojson(value, indent, arguments)
}

/// The methods of Python's texts, lists and maps.
pub(crate) fn python_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    given: &[Value],
) -> Result<Value, Error> {
    // Its result is charged only once it is there.
    if method == "format" && value.as_str().is_some_and(is_wide) {
        let problem = "format() fills up to at most 9999 letters, and not to a width that is given to it";
        return Err(Error::new(ErrorKind::InvalidOperation, problem));
    }
    unknown_method_callback(state, value, method, given)
}

/// True if a format may pad a text to ten thousand characters or more.
fn is_wide(format: &str) -> bool {
    let (mut digits, mut open) = (0, 0);
    for letter in format.replace("{{", "").replace("}}", "").chars() {
        digits = if letter.is_ascii_digit() { digits + 1 } else { 0 };
        match letter {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if digits > 4 || open > 1 {
            return true;
        }
    }
    false
}

/// Renders a template of the environment.
pub(crate) fn render(environment: &Environment<'_>, name: &str, values: &Value) -> Result<String, Error> {
    let template = environment.get_template(name)?;
    bounded(template.source(), || template.render(values))
}

/// Renders the text of a template.
pub(crate) fn render_text(environment: &Environment<'_>, source: &str, values: &Value) -> Result<String, Error> {
    let template = environment.template_from_str(source)?;
    bounded(source, || template.render(values))
}

/// Runs a rendering; a panic in it becomes an error.
fn bounded(source: &str, render: impl FnOnce() -> Result<String, Error> + Send) -> Result<String, Error> {
    let failed = |problem: String| Error::new(ErrorKind::InvalidOperation, problem);
    let work = move || guarded(render).unwrap_or_else(|panic| Err(failed(panic)));
    // Nothing else lives from one turn of a loop to the next.
    if !source.contains("namespace") {
        return work();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(DEEP_STACK).spawn_scoped(scope, work);
        let thread = thread.map_err(|problem| failed(format!("no thread for it can be started: {problem}")))?;
        thread.join().unwrap_or_else(|_| Err(failed("it panicked".to_owned())))
    })
}

/// The problem of a template, in words.
pub(crate) fn error_message(problem: &Error) -> String {
    match problem.kind() {
        ErrorKind::OutOfFuel => "it computes or allocates more than a template may".to_owned(),
        _ => problem.to_string(),
    }
}

/// Refuses a template that nests too deep.
pub(crate) fn check_template(source: &str) -> Result<(), String> {
    let (mut rest, mut branches, mut tags, mut found) = (source, 0, 0, Vec::new());
    while let Some(at) = rest.find(['{']) {
        rest = &rest[at + 1..];
        let Some(kind) = rest.chars().next().filter(|kind| ['{', '%', '#'].contains(kind)) else { continue };
        if kind == '#' {
            rest = rest.find("#}").map_or("", |end| &rest[end..]);
            continue;
        }
        let end = if kind == '{' { "}}" } else { "%}" };
        tags += 1;
        if tags > MOST_TAGS {
            return Err(format!("it has more than {MOST_TAGS} tags"));
        }
        let mut tag = Words { rest: &rest[1..], end };
        let mut count = 0;
        for word in tag.by_ref() {
            count += 1;
            branches += usize::from(word == "elif");
            if count > MOST_WORDS {
                let line = 1 + source[..source.len() - rest.len()].matches('\n').count();
                return Err(format!("line {line}: a tag has more than {MOST_WORDS} words and signs; take it apart"));
            }
        }
        if branches > MOST_BRANCHES {
            return Err(format!("it has more than {MOST_BRANCHES} `elif`"));
        }
        found.push(&rest[1..rest.len() - tag.rest.len()]);
        rest = tag.rest;
    }
    growth::check(&found)
}

/// Refuses an expression that nests too deep.
pub(crate) fn check_expression(source: &str) -> Result<(), String> {
    match (Words { rest: source, end: "" }).count() {
        count if count > MOST_WORDS => Err(format!("the expression has more than {MOST_WORDS} words and signs")),
        _ => Ok(()),
    }
}

/// The words and signs of a tag, up to its end; a text in quotes is one of them.
struct Words<'a> {
    rest: &'a str,
    end: &'static str,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        if self.rest.is_empty() || (!self.end.is_empty() && self.rest.starts_with(self.end)) {
            return None;
        }
        let first = self.rest.chars().next()?;
        let length = if first == '"' || first == '\'' {
            quoted(self.rest, first)
        } else if is_word(first) {
            self.rest.find(|letter| !is_word(letter)).unwrap_or(self.rest.len())
        } else {
            first.len_utf8()
        };
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        Some(word)
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Bytes of the text in quotes at the beginning.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if letter == quote => return at + letter.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    /// Renders a template on a thread with a small stack, as worker threads have it.
    fn render(source: &str) -> Result<String, String> {
        let source = source.to_owned();
        let work = move || {
            check_template(&source)?;
            let mut environment = environment();
            environment.set_unknown_method_callback(python_method);
            let message = |problem: minijinja::Error| error_message(&problem);
            environment.add_template_owned("t", source).map_err(message)?;
            super::render(&environment, "t", &context! { x => "abc", n => 3 }).map_err(message)
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).expect("a thread");
        thread.join().expect("no panic")
    }

    #[test]
    fn deep_nesting_is_refused_before_it_is_parsed() {
        for (before, again, after) in [
            ("{{ ", "not ", "x }}"),
            ("{{ ", "-", "n }}"),
            ("{{ ", "- ", "n }}"),
            ("{{ x", "|upper", " }}"),
            ("{{ x", "|default('}}')", " }}"),
            ("{{ x", ".y", " }}"),
            ("{{ x", "[0]", " }}"),
            ("{{ x", " ~ x", " }}"),
            ("{{ x", " if n else x", " }}"),
            ("{{ x", " and x", " }}"),
            ("{{ n", " ** n", " }}"),
            ("{{ ", "(", "x }}"),
            ("{{ ", "[", "x }}"),
            ("{% if ", "not ", "x %}{% endif %}"),
            ("{% set y = ", "not ", "x %}"),
            ("{% if x %}", "{% elif x %}", "{% endif %}"),
        ] {
            let of = |count: usize| format!("{before}{}{after}", again.repeat(count));
            let problem = render(&of(40_000)).expect_err(again);
            assert!(problem.contains("more than"), "{again}: {problem}");
            // The largest admitted template does no harm.
            let _ = render(&of(MOST_BRANCHES));
            let words = (Words { rest: again, end: "" }).count().max(1);
            let _ = render(&of((MOST_WORDS - 8) / words));
        }
        let nested = ["{% if x %}".repeat(40_000), "{% endif %}".repeat(40_000)].concat();
        assert!(render(&nested).is_err());
        let nested = ["{% for y in x %}".repeat(40_000), "{% endfor %}".repeat(40_000)].concat();
        assert!(render(&nested).is_err());
        assert!(check_expression(&"not ".repeat(40_000)).is_err());
        assert_eq!(check_expression("not shared and count > 2"), Ok(()));
    }

    #[test]
    fn texts_and_comments_are_no_depth() {
        let long = "a ".repeat(5_000);
        assert_eq!(
            check_template(&format!("{long}{{# {long} #}}{{{{ '{long}' }}}}{{{{ \"it's \\\" {long}\" }}}}")),
            Ok(())
        );
        let problem = check_template(&format!("one\ntwo {{{{ {} }}}}", "+ 1 ".repeat(400))).expect_err("too deep");
        assert_eq!(problem, "line 2: a tag has more than 500 words and signs; take it apart");
    }

    #[test]
    fn endless_computation_and_allocation_run_out_of_fuel() {
        let doubling =
            "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}";
        let adding = doubling.replace('~', "+");
        let capturing = "{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set t %}{{ ns.s }}{{ ns.s }}{% endset %}\
            {% set ns.s = t %}{% endfor %}";
        let replacing = "{% set ns = namespace(s='xx') %}{% for i in range(60) %}{% set ns.s = ns.s|replace('x', ns.s) %}\
            {% endfor %}";
        let method = replacing.replace("|replace", ".replace");
        let recursive = "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}";
        let endless = "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}";
        for source in [
            "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{{ x }}{% endfor %}{% endfor %}",
            "{{ x|indent(10000000000) }}",
            "{{ (x ~ '\\n' ~ x)|indent(10000000000) }}",
            "{{ '%10000000000d'|format(3) }}",
            "{{ '%10000000000d' % 3 }}",
            "{{ '%.10000000000f'|format(3.5) }}",
            "{{ x * 10000000000 }}",
            "{{ [x] * 10000000000 }}",
            "{{ x.center(10000000000) }}",
            "{{ x.ljust(10000000000) }}",
            "{{ x.zfill(10000000000) }}",
            "{{ 'a\\tb'.expandtabs(10000000000) }}",
            "{{ [1]|batch(10000000000, 0)|list }}",
            "{{ [1]|slice(10000000000, 0)|list }}",
            "{{ range(9)|list|tojson(indent=1000000000) }}",
            "{{ range(9)|list|tojson(1000000000) }}",
            "{{ '{:10000000000}'.format(3) }}",
            "{{ '{:.10000000000f}'.format(3.5) }}",
            "{{ '{:{}}'.format(3, 10000000000) }}",
            "{{ x[::-9223372036854775808] }}",
            "{% set ns = namespace(s=[1]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}{% endfor %}{{ ns.s }}",
            doubling,
            &adding,
            capturing,
            replacing,
            &method,
            recursive,
            endless,
        ] {
            let problem = render(source).err();
            // A method or filter that does not exist, or a bound of its own, is as good.
            assert!(problem.is_some() || source.contains("::"), "{source}");
        }
    }

    #[test]
    fn a_list_may_not_contain_itself_repeatedly() {
        let turns = |set: &str, more: &str| {
            format!("{{% set ns = namespace(s=[1], t=[1]) %}}{{% for i in range(60) %}}{set}{{% endfor %}}{more}")
        };
        let chain: String = (0..60).map(|n| format!("{{% set a{} = [a{n}, a{n}] %}}", n + 1)).collect();
        for source in [
            turns("{% set ns.s = [ns.s, ns.s] %}", "{{ ns.s }}"),
            turns("{% set ns.s = (ns.s, ns.s) %}", "{{ ns.s|string }}"),
            turns("{% set ns.s = {'a': ns.s, 'b': ns.s} %}", "{{ ns.s|tojson }}"),
            turns("{% set ns.s = ns.s + ns.s %}", "{{ ns.s|join }}"),
            turns("{%- set ns.s = ns.s + ns.s -%}", "{{ ns.s == ns.t }}"),
            turns("{% set ns.s = [ns.s] * 2 %}", "{{ ns.s }}"),
            turns("{% set t = ns.s %}{% set ns.s = [t, ns.s] %}", "{{ ns.s }}"),
            turns("{% for q in [ns.s] %}{% set ns.s = [q, q] %}{% endfor %}", "{{ ns.s }}"),
            turns("{% with q = ns.s %}{% set ns.s = [q, q] %}{% endwith %}", "{{ ns.s }}"),
            turns("{% set ns.s = range(9)|map('default', ns.s)|list %}", "{{ ns.s }}"),
            turns("{% set ns.s = ns.s + ns.s if 'a' == 'a' else 1 %}", "{{ ns.s }}"),
            turns("{% set ns.s = 'a'|default(ns.s + ns.s) %}", "{{ ns.s }}"),
            turns("{% set ns.s = {'a' ~ 'b': ns.s, 'c': ns.s} %}", "{{ ns.s }}"),
            turns("{% set ns.s = namespace(a=ns.s, b=ns.s) %}", "{{ ns.s }}"),
            format!("{{% set a0 = [1] %}}{chain}{{{{ a60 }}}}"),
            "{% macro f(n, a) %}{% if n %}{{ f(n - 1, [a, a]) }}{% else %}{{ a }}{% endif %}{% endmacro %}{{ f(60, 1) }}".to_owned(),
        ] {
            let problem = check_template(&source).expect_err(&source);
            assert!(problem.contains("may put a list into itself again and again"), "{problem}");
        }
    }

    #[test]
    fn usual_chat_templates_are_admitted() {
        for source in [
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] }}{% endfor %}",
            "{% set ns = namespace(is_first=false, system_prompt='') %}{% for message in messages %}\
             {% set ns.system_prompt = ns.system_prompt + '\n\n' + message['content'] %}{% endfor %}",
            "{% set ns = namespace(tools=[]) %}{% for tool in tools %}{% set ns.tools = ns.tools + [tool] %}{% endfor %}",
            "{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\
             {%- set index = (messages|length - 1) - loop.index0 %}",
            "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0]['content'] %}\
             {% else %}{% set loop_messages = messages %}{% endif %}{% for m in loop_messages %}\
             {% set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + m['content'] %}{{ bos_token + content }}{% endfor %}",
            "{{ {'name': call.name, 'arguments': call.arguments}|tojson }}",
            "{% set ns = namespace(n=0) %}{% for i in x %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
            "{%- macro show(tool) %}{{ '- ' + tool.name + ': ' + tool.text }}{% endmacro %}{{ show(tools[0]) }}",
        ] {
            assert_eq!(check_template(source), Ok(()), "{source}");
        }
    }

    #[test]
    fn usual_templates_render() {
        assert_eq!(render("{{ x|upper }}{% if n > 2 %}!{% elif n %}?{% endif %}").as_deref(), Ok("ABC!"));
        assert_eq!(render("{% for i in range(3) %}{{ i }}{% endfor %}").as_deref(), Ok("012"));
        assert_eq!(render("{{ [1, x]|tojson(indent=2) }}").as_deref(), Ok("[\n  1,\n  \"abc\"\n]"));
        assert_eq!(render("{{ '{:>5}{{}} {}'.format(x, 123456) }}").as_deref(), Ok("  abc{} 123456"));
        let counted = "{% set ns = namespace(n=0) %}{% for i in x %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}";
        assert_eq!(render(counted).as_deref(), Ok("3"));
    }
}
