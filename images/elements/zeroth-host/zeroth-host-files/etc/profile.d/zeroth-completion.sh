# Tab completes zeroth's commands in bash, without the package bash-completion, which would load this file by itself.
if [ -n "${BASH_VERSION-}" ] && [ -n "${PS1-}" ] && ! [ -e /usr/share/bash-completion/bash_completion ]; then
	. /usr/share/bash-completion/completions/zeroth
fi
