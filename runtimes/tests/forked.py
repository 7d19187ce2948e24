"""The Python bootstrap as a fork of a zygote runs it: all of its own code, with the module that forks replaced by one that goes on in the same process.

   forked.py BOOTSTRAP --zygote
"""
import _imp
import os
import sys


def replace(create, execute):
    class Module:
        @staticmethod
        def wait():
            """The fork."""
            _imp.create_dynamic, _imp.exec_dynamic = create, execute

    _imp.create_dynamic = lambda spec: Module if spec.name == "lambda_zygote" else create(spec)
    _imp.exec_dynamic = lambda module: 0 if module is Module else execute(module)


replace(_imp.create_dynamic, _imp.exec_dynamic)
del sys.argv[0], sys.orig_argv[-3]
__file__ = sys.argv[0]
sys.path[0] = os.path.dirname(__file__)
with open(__file__, encoding="utf-8") as source:
    program = compile(source.read(), __file__, "exec")
del source, replace, os
exec(program)
