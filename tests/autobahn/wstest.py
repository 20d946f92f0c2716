# CPython 2.7: runs Autobahn's wstest from a directory that `pip install --target` filled.
#
#   python2.7 wstest.py DIR -m fuzzingclient -s SPEC
import site
import sys

packages = sys.argv.pop(1)
sys.path.insert(0, packages)
site.addsitedir(packages)  # zope's namespace package lives in a .pth file

from autobahntestsuite import wstest  # noqa: E402

wstest.run()
