
# Readline splits words at `:`, `=` and `@`: `builtin:de` arrives as `builtin`, `:` and `de`, and a completion replaces only the last
# part. This function gives the whole word to upfault, and returns what follows the parts before.
_upfault() {
    local part gap before="" rest=$COMP_LINE joined=() i
    local is_separator was_separator=false
    for ((i = 0; i <= COMP_CWORD; i++)); do
        part=${COMP_WORDS[i]}
        gap=${rest%%"$part"*}
        rest=${rest:${#gap}+${#part}}
        is_separator=false
        if [[ -n $part && -z ${part//[:=@]/} ]]; then is_separator=true; fi
        # What is in front of the cursor; bash passes nothing after a separator.
        if ((i == COMP_CWORD)) && ! $is_separator; then part=$2; fi
        if ((i > 0)) && [[ -z $gap && -n ${COMP_WORDS[i]} ]] && { $is_separator || $was_separator; }; then
            before=${joined[${#joined[@]} - 1]}
            joined[${#joined[@]} - 1]=$before$part
            if $is_separator; then before=$before$part; fi
        else
            before=""
            joined+=("$part")
        fi
        was_separator=$is_separator
    done
    local COMP_WORDS=("${joined[@]}") COMP_CWORD=$((${#joined[@]} - 1))
    _clap_complete_upfault "$1" "${COMP_WORDS[COMP_CWORD]}" "$3"
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=${COMPREPLY[i]#"$before"}
    done
}
complete -o nospace -o bashdefault -o nosort -F _upfault upfault 2>/dev/null ||
    complete -o nospace -o bashdefault -F _upfault upfault
