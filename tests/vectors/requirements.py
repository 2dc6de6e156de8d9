"""Writes requirements.json: what Python's `packaging` says of many requirements.

In a virtual environment with `pip install packaging`:

    python requirements.py > requirements.json

A row is {text, ok, name, note}: whether `packaging.requirements.Requirement` takes the text, the normal form of the
package's name if so, and what the row is about. The version that made the file is in its first row's note.
"""

import json
import sys

import packaging
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

TEXTS = {
    "names": [
        "pandas", "A", "0", "a.b", "a-b", "a_b", "Zope.Interface", "a--b__c..d", "x1", "1x", " pandas", "pandas ",
        "\tpandas\t", "-a", "a-", ".a", "a.", "_a", "a_", "é", "aé", "a b", "a!", "", " ", "a;", ";", "@", "a\n",
        "\na", "a\nb", "a\r", "a\x0bb", "a\x00b", "a\u00a0", "a\u2028b", "\ufeffa", "pan das>=1", "pandas,numpy",
    ],
    "specifiers": [
        "a==1", "a == 1", "a==1.0", "a>=1,<2", "a >= 1 , < 2", "a>=1 ,<2", "a<=1", "a!=1", "a>1", "a<1", "a~=1.0",
        "a~=1", "a~=1.0.0", "a~=1.0rc1", "a~=1rc1", "a==1.*", "a!=1.*", "a>=1.*", "a==1.*.*", "a==*", "a==1.0.*rc1",
        "a==1rc1.*", "a==1.dev0.*", "a==1+x.*", "a==1!2", "a==1!2.3.*", "a>=2!1.0", "a==1.0+local", "a==1.0+Local.1-2_3",
        "a==1.0+", "a>=1.0+local", "a!=1.0+local", "a~=1.0+local", "a<1+x", "a==v1.0", "a==V1.0", "a==1.0a1",
        "a==1.0alpha1", "a==1.0b", "a==1.0c1", "a==1.0RC-1", "a==1.0.preview_2", "a==1.0-1", "a==1.0.post1", "a==1.0rev2",
        "a==1.0.dev3", "a==1.0dev", "a==1.0a1.post2.dev3+x", "a==1.0.post.1", "a==01.00", "a==1..0", "a==1.", "a==.1",
        "a==1.0.x", "a==one", "a==", "a>=", "a>", "a=1", "a=>1", "a=<1", "a===1", "a===foobar", "a===", "a=== 1.0", "a== =1", "a> =1", "a=== 1.0, >=1",
        "a===1.0,>=1", "a===x,y", "a====1", "a<>1", "a~1", "a^1", "a!1", "a 1", "a 1.0", "a>1 <2", "a>1<2", "a>1,", "a>1,,<2",
        "a,>1", "a>1;", "a>=1.0-", "a==1.0--1", "a==1-x", "a>=\u0661", "a==1\u00a0", "a>=\u00a01", "a==1,==1,==1",
        "a==99999999999999999999", "a==18446744073709551615", "a==1.0a99999999999999999999", "a==20240101.1",
    ],
    "parentheses": [
        "a(>=1)", "a (>=1)", "a ( >=1 , <2 ) ", "a()", "a( )", "a(>=1", "a>=1)", "a(>=1,)", "a(1)", "a((>=1))", "a(>=1)<2",
        "a(===1)", "a(>=1);os_name=='nt'", "a (>=1) @ https://x/y",
    ],
    "extras": [
        "a[b]", "a[b,c]", "a [ b , c ]", "a[]", "a[ ]", "a[b]>=1", "a[b] >=1", "a[b.c-d_e]", "a[b,]", "a[,b]", "a[b c]",
        "a[b", "a]", "a[[b]]", "a[-b]", "a[b-]", "a[b_]", "a[b][c]", "a[1]", "a[é]", "a[b]@https://x/y", "a[b];os_name=='nt'",
        "a>=1[b]", "[b]",
    ],
    "urls": [
        "a @ https://x/y.whl", "a@https://x/y.whl", "a @https://x", "a@ https://x", "a @ https://x ; os_name=='nt'",
        "a @ https://x ;os_name=='nt'", "a @ https://x;os_name=='nt'", "a @ https://x/a;b=c ; os_name=='nt'", "a @ https://x ",
        "a @", "a @ ", "a @ ;os_name=='nt'", "a @ https://x y", "a @ https://x >=1", "a >=1 @ https://x",
        "a @ git+https://github.com/x/y.git@v1", "a @ git+ssh://git@github.com/x/y.git@v1#egg=a&subdirectory=b",
        "a @ hg+https://x/y", "a @ file:///opt/a.whl", "a @ FILE:///opt/a.whl", "a @ /opt/a", "a @ ./a", "a@1.0", "a @ ftp://x/y",
        "a @ https:x", "a @ https:///x", "a @ file:/opt/a", "a===[.zip", "a @ git+file:///opt/a",
        "a @ C:\\x", "a @ git@github.com:x/y.git", "a @ https://x/${TOKEN}/y", "a @ https://x/${token}/y",
        "a @ https://x/$TOKEN/y", "a @ https://x/${}/y", "a @ https://x/${A", "a @ https://u:p@x/y", "a @ https://x#sha256=00",
        "a @ https://x # comment", "a @ https://x\\", "a @ https://x\\y", "a @ https://x/'y\"", "a @ https://x/\u00e9",
        "https://x/y.whl", "git+https://x/y", "file:///opt/a", "a:b",
    ],
    "markers": [
        "a;os_name=='nt'", "a ; os_name == 'nt'", 'a;os_name=="nt"', "a;python_version<'3'", "a;python_version < '3' ",
        "a;'3'<python_version", "a;'a'=='b'", "a;os_name==sys_platform", "a;python_version in '3.6,3.7'",
        "a;python_version not in '3.6'", "a;python_version not  in '3.6'", "a;python_version not\tin '3.6'",
        "a;python_version notin '3.6'", "a;python_version in'3.6'", "a;'3'in python_version", "a;'3'in'3'",
        "a;python_version not '3'", "a;python_version ~= '3.6'", "a;python_version === '3.6'", "a;python_version = '3'",
        "a;python_version <> '3'", "a;python_version", "a;'3'", "a;python_version <", "a;< '3'", "a;python_version < 3",
        "a;python_version < '3", "a;python_version < '3\"", "a;python_version < \"3'\"", "a;python_version < ''",
        "a;os_name=='nt' and sys_platform=='win32'", "a;os_name=='nt' or sys_platform=='win32'",
        "a;os_name=='nt'and sys_platform=='win32'", "a;os_name=='nt' andsys_platform=='win32'",
        "a;os_name=='nt' AND sys_platform=='win32'", "a;os_name=='nt' and", "a;and os_name=='nt'",
        "a;os_name=='nt' and and os_name=='x'", "a;os_name=='nt' os_name=='x'", "a;not os_name=='nt'",
        "a;(os_name=='nt')", "a; ( os_name=='nt' ) ", "a;((os_name=='nt') or (os_name=='x')) and extra=='y'",
        "a;(os_name=='nt'", "a;os_name=='nt')", "a;()", "a;(os_name)=='nt'", "a;(os_name=='nt')and(os_name=='x')",
        "a;(os_name=='nt')or os_name=='x'and'y'in extra", "a;os_name=='nt';os_name=='x'", "a;;os_name=='nt'",
        "a;os.name=='nt'", "a;sys.platform=='x'", "a;platform.version=='x'", "a;platform.machine=='x'",
        "a;platform.python_implementation=='x'", "a;python_implementation=='x'", "a;platform.release=='x'", "a;os.nam=='x'",
        "a;platform_release=='x'", "a;platform_system=='x'", "a;platform_version=='x'", "a;platform_machine=='x'",
        "a;platform_python_implementation=='x'", "a;implementation_name=='x'", "a;implementation_version=='x'",
        "a;python_full_version>='3.6.1'", "a;extra=='x'", "a;extra in 'x,y'", "a;extras=='x'", "a;'x' in extras",
        "a;'x' in dependency_groups", "a;python=='3'", "a;Python_Version=='3'", "a;python_version.x=='3'", "a;os_name=='n\\t'",
        "a;os_name=='\\x'", "a;os_name=='a#b'", "a;os_name=='a #b'", "a;os_name=='a -b'", "a;os_name=='${A}'", "a;os_name=='\u00e9'",
        "a;os_name=='\u00a0'", "a\u00a0;os_name=='x'", "a>=1;os_name=='x'", "a>=1 ; os_name=='x'", "a[b]>=1;os_name=='x'",
        "a;" + "(" * 20 + "os_name=='x'" + ")" * 20,
    ],
    "pip": [
        "-e .", "-r x.txt", "--index-url https://x", "# comment", "a # comment", "a#comment", "a #comment", "a \\", "a\\",
        "a==1 --hash=sha256:00", "a==1 --global-option=x", "a;os_name=='x' --hash=sha256:00", "a==1 -x", "${A}", "a==${A}",
        ".", "./a", "../a", "/a", "~/a", "a/b", "a\\b", "a.zip", "a.whl", "a-1.0-py3-none-any.whl", "a.tar.gz", "a.TAR.GZ",
        "a.tgz[b]", "a.tar.gz;os_name=='x'", "a.zip @ https://x", "a.zipper", "a===1.zip", "a===b/c", "a===b:c", "pip install a",
        "a==1 # ok", "%(a)s", "$a", "a&b", "a|b", "`a`", "$(a)", "a>b", "a>'1'",
    ],
}


def row(note, text):
    try:
        return {"text": text, "ok": True, "name": canonicalize_name(Requirement(text).name), "note": note}
    except InvalidRequirement:
        return {"text": text, "ok": False, "name": None, "note": note}


def main():
    rows = [row("made with packaging " + packaging.__version__, "packaging")]
    rows += [row(note, text) for note, texts in TEXTS.items() for text in texts]
    texts = [r["text"] for r in rows]
    assert len(set(texts)) == len(texts), sorted(t for t in texts if texts.count(t) > 1)
    lines = ",\n".join(json.dumps(r, ensure_ascii=True) for r in rows)
    sys.stdout.write("[\n" + lines + "\n]\n")


main()
