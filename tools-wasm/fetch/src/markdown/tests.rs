#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use super::*;

fn base() -> Url {
    Url::parse("https://a.example/dir/page").unwrap()
}

fn markdown(html: &str) -> String {
    convert(html, &base(), Style::Markdown).content
}

fn plain(html: &str) -> String {
    convert(html, &base(), Style::Text).content
}

#[test]
fn blocks_are_parted_by_one_empty_line() {
    assert_eq!(markdown("<div><div><p>a</p></div></div> \n <section><p>b</section>"), "a\n\nb");
    assert_eq!(markdown("one<br>two<hr>three"), "one\ntwo\n\n---\n\nthree");
    assert_eq!(markdown("<h1>A\n title</h1><h3>B</h3>text"), "# A title\n\n### B\n\ntext");
}

#[test]
fn white_space_means_one_space() {
    assert_eq!(markdown("<p>  a \n\t b<b> c </b>d</p>"), "a b **c** d");
    assert_eq!(markdown("a&nbsp;b &amp; &lt;c&gt; &#x263a;"), "a\u{a0}b & <c> ☺");
}

#[test]
fn links_are_absolute_and_only_kept_if_they_lead_somewhere() {
    assert_eq!(markdown("<a href='../x?a=1&amp;b=2'>go</a>"), "[go](https://a.example/x?a=1&b=2)");
    assert_eq!(markdown("<a href='#top'>top</a> <a href='javascript:x()'>js</a> <a>none</a>"), "top js none");
    assert_eq!(markdown("a<a href=/x></a>b"), "ab");
    assert_eq!(
        markdown("<a href=/x><div>block</div><p>in link</p></a>"),
        "[block in link](https://a.example/x)"
    );
    assert_eq!(
        markdown("<a href=/1>one <a href=/2>two</a>"),
        "[one](https://a.example/1) [two](https://a.example/2)"
    );
}

#[test]
fn lists_nest_and_count() {
    let html = "<p>x<ul><li>a<li>b<ol start=3><li>c</li><li>d</li></ol></li><li><p>e</p><p>f</p></ul>y";
    assert_eq!(markdown(html), "x\n\n- a\n- b\n  3. c\n  4. d\n- e\n\n  f\n\ny");
    assert_eq!(markdown("<ol><li>a<ul><li>b</ul><li>c</ol>"), "1. a\n   - b\n2. c");
    assert_eq!(markdown("<ul><li>a<ul><li><h3>b</h3>c</ul></ul>"), "- a\n  - ### b\n\n    c");
    assert_eq!(markdown("<ul><li><ul><li>a<li>b</ul><li></li><li>c</ul>"), "- - a\n  - b\n- c");
}

#[test]
fn quotes_and_code_are_kept() {
    assert_eq!(markdown("<blockquote><p>a<p>b</blockquote>c"), "> a\n>\n> b\n\nc");
    assert_eq!(markdown("run <code>a  `b`</code>"), "run `` a `b` ``");
    let html = "<p>x</p><pre><code class=x>fn <b>f</b>() {\n    1 &lt; 2\n}\n</code></pre>y";
    assert_eq!(markdown(html), "x\n\n```\nfn f() {\n    1 < 2\n}\n```\n\ny");
    assert_eq!(markdown("<pre>```</pre>"), "````\n```\n````");
    assert_eq!(markdown("<ul><li>x<pre>a\nb</pre></ul>"), "- x\n\n  ```\n  a\n  b\n  ```");
}

#[test]
fn tables_of_data_become_tables() {
    let html = "<table><thead><tr><th>n<th>v|w</thead><tr><td>1<td><b>x</b><br>y</tr></table>z";
    assert_eq!(markdown(html), "| n | v\\|w |\n| --- | --- |\n| 1 | **x** y |\n\nz");
    assert_eq!(plain(html), "n\tv|w\n1\tx y\n\nz");
}

#[test]
fn tables_for_layout_become_blocks() {
    let html = "<table><tr><td>menu<td>x<table><tr><td>a<td>b</table>after</table>end";
    assert_eq!(markdown(html), "menu\n\nx\n\n| a | b |\n| --- | --- |\n\nafter\n\nend");
    assert_eq!(markdown("<table><tr><td><p>one<p>two</table>"), "one\n\ntwo");
}

#[test]
fn what_is_not_for_readers_is_left_out() {
    let html = "<head><title> My\n page </title><style>b{}</style><script>if (a<b) '</p>'</script></head>\
                <nav><a href=/>home</a></nav><p hidden>x</p><img src=a.png><svg><title>icon</title></svg>\
                <div aria-hidden=true>y<div>z</div></div><input hidden>text<!-- comment -->";
    let document = convert(html, &base(), Style::Markdown);
    assert_eq!(document.title.as_deref(), Some("My page"));
    assert_eq!(document.content, "text");
}

#[test]
fn images_are_named_by_their_text() {
    assert_eq!(markdown("<img alt='a\ncat' src=cat.png>"), "![a cat](https://a.example/dir/cat.png)");
    assert_eq!(markdown("<img alt=dot src='data:image/png;base64,AAAA'>"), "dot");
}

#[test]
fn plain_text_has_no_markup() {
    let html =
        "<h2>T</h2><p><b>a</b> <a href=/x>l</a> <code>c</code><blockquote>q</blockquote><ul><li>i</ul>";
    assert_eq!(plain(html), "T\n\na l c\n\n  q\n\n- i");
}

#[test]
fn broken_markup_keeps_its_text() {
    assert_eq!(markdown("</p></div></table></td>a<b><i>b</b>c</i>"), "a***b***c");
    assert_eq!(markdown("<td>a</td><li>b"), "a\n- b");
    assert_eq!(markdown("<a href=/x>never closed"), "[never closed](https://a.example/x)");
    assert_eq!(markdown("<pre>open"), "```\nopen\n```");
    assert_eq!(markdown("a < b <"), "a < b <");
}

#[test]
fn hostile_nesting_takes_linear_time_and_no_stack() {
    for unit in [
        "<div>",
        "<b>",
        "<blockquote>",
        "<ul><li>",
        "<table><tr><td>",
        "<a href=x>",
        "<pre>",
        "<svg>",
        "<h1>",
    ] {
        let html = format!("{}x", unit.repeat(50_000));
        let content = markdown(&html);
        assert!(content.len() < 4 * html.len(), "{unit} gave {} bytes", content.len());
    }
}

#[test]
fn a_page_that_grows_is_cut_and_says_so() {
    let far = Url::parse(&format!("https://a.example/{}/", "d".repeat(4000))).unwrap();
    let document = convert(&"<a href=x>x</a>".repeat(10_000), &far, Style::Markdown);
    assert!(document.truncated && document.content.len() <= MAX_CONTENT);
}
