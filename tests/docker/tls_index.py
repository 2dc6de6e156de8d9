"""Runs the installer with an index that speaks TLS, with a certificate by an authority of its own.

`tls_index.py PACKAGE WHEEL`: the index has this package, and of it this wheel, which lies in /work.
"""
import functools
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading

package, wheel = sys.argv[1:]
folder = "/index/simple/" + package
os.makedirs(folder, exist_ok=True)
shutil.copy("/work/" + wheel, folder)
with open(folder + "/index.html", "w") as page:
    page.write('<a href="%s">%s</a>\n' % (wheel, wheel))

handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/index")
server = http.server.ThreadingHTTPServer(("localhost", 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/work/server.pem", "/work/server-key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()

os.environ["PIP_INDEX_URL"] = "https://localhost:%d/simple" % server.server_address[1]
with open("/tmp/requirements", "w") as requirements:
    requirements.write(package + "\n")
sys.exit(subprocess.call(["python", "-B", "/work/install.py", "/tmp/requirements", "uv"]))
