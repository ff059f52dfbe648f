# Builds git-quorum and installs it with its man pages and completions:
#
#     make && sudo make install            into /usr/local
#     make install PREFIX=$HOME/.local     into a home
#     make install DESTDIR=root PREFIX=/usr    for a package
#
# BINARY names a program that is built already, if CARGO is set to `:`.

PREFIX = /usr/local
DESTDIR =
CARGO = cargo
BINARY = $${CARGO_TARGET_DIR:-target}/release/git-quorum

bindir = $(PREFIX)/bin
mandir = $(PREFIX)/share/man/man1
bashdir = $(PREFIX)/share/bash-completion/completions
zshdir = $(PREFIX)/share/zsh/site-functions
fishdir = $(PREFIX)/share/fish/vendor_completions.d

all:
	$(CARGO) build --release --locked

install: all
	mkdir -p "$(DESTDIR)$(bindir)" "$(DESTDIR)$(bashdir)" "$(DESTDIR)$(zshdir)" "$(DESTDIR)$(fishdir)"
	install -m 755 "$(BINARY)" "$(DESTDIR)$(bindir)/git-quorum"
	"$(BINARY)" man --install --dir "$(DESTDIR)$(mandir)"
	"$(BINARY)" completions bash > "$(DESTDIR)$(bashdir)/git-quorum"
	"$(BINARY)" completions zsh > "$(DESTDIR)$(zshdir)/_git-quorum"
	"$(BINARY)" completions fish > "$(DESTDIR)$(fishdir)/git-quorum.fish"

uninstall:
	rm -f "$(DESTDIR)$(bindir)/git-quorum"
	rm -f "$(DESTDIR)$(mandir)/git-quorum.1" "$(DESTDIR)$(mandir)"/git-quorum-*.1
	rm -f "$(DESTDIR)$(bashdir)/git-quorum" "$(DESTDIR)$(zshdir)/_git-quorum" "$(DESTDIR)$(fishdir)/git-quorum.fish"

.PHONY: all install uninstall
