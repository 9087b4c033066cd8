package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"buzon/agent/internal/locale"
)

// help writes what a command does, its subcommands, its flags and, for agent
// itself, the exit codes.
func (a *app) help(cmd *cobra.Command) {
	w := a.stdout
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	width := a.width(w)
	fmt.Fprintf(w, "%s\n\n%s\n  %s\n", locale.Fit(paragraphs(text), width), a.words.Text("cli.help-usage"), useLine(a.words, cmd))
	if cmd.Example != "" {
		fmt.Fprintf(w, "\n%s\n%s\n", a.words.Text("cli.help-examples"), cmd.Example)
	}
	if rows := commandRows(cmd); len(rows) > 0 {
		fmt.Fprintf(w, "\n%s\n", a.words.Text("cli.help-commands"))
		writeRows(w, rows, width)
	}
	if rows := flagRows(a.words, cmd.NonInheritedFlags()); len(rows) > 0 && cmd.HasParent() {
		fmt.Fprintf(w, "\n%s\n", a.words.Text("cli.help-flags"))
		writeRows(w, rows, width)
	}
	global := cmd.InheritedFlags()
	if !cmd.HasParent() {
		global = cmd.PersistentFlags()
	}
	fmt.Fprintf(w, "\n%s\n", a.words.Text("cli.help-global"))
	writeRows(w, flagRows(a.words, global), width)
	if !cmd.HasParent() {
		fmt.Fprintf(w, "\n%s\n", a.words.Text("cli.help-exits"))
		writeRows(w, exitRows(a.words), width)
		fmt.Fprintf(w, "\n%s\n", a.words.Text("cli.help-more"))
	}
}

// giveExamples gives a command and those below it the examples that the language has for them.
func (a *app) giveExamples(cmd *cobra.Command) {
	name := "agent"
	if cmd.HasParent() {
		name = strings.Join(strings.Fields(cmd.CommandPath())[1:], "-")
	}
	cmd.Example = a.words.Text("cli.example-" + name)
	for _, sub := range cmd.Commands() {
		a.giveExamples(sub)
	}
}

// paragraphs joins the lines of each paragraph, which are broken where the sentence
// was written and not where the screen ends. Indented lines and lists stay as they are.
func paragraphs(text string) string {
	lines := strings.Split(text, "\n")
	var b strings.Builder
	for i, line := range lines {
		switch {
		case i == 0:
		case line == "", lines[i-1] == "", strings.HasPrefix(line, " "), strings.HasPrefix(line, "- "):
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		b.WriteString(line)
	}
	return b.String()
}

// useLine is how a command is called.
func useLine(words *locale.Printer, cmd *cobra.Command) string {
	line := cmd.CommandPath()
	if cmd.HasAvailableSubCommands() {
		return line + " " + words.Text("cli.help-subcommand")
	}
	if cmd.HasAvailableLocalFlags() {
		line += " " + words.Text("cli.help-any-flags")
	}
	if _, args, ok := strings.Cut(cmd.Use, " "); ok {
		line += " " + strings.NewReplacer("PATH", words.Text("cli.word-path"), "FILE", words.Text("cli.word-file"),
			"KEY", words.Text("cli.word-key"), "COMMAND", words.Text("cli.help-subcommand")).Replace(words.Signs(args))
	}
	return line
}

func commandRows(cmd *cobra.Command) [][2]string {
	var rows [][2]string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" && !cmd.HasParent() {
			rows = append(rows, [2]string{c.Name(), c.Short})
		}
	}
	return rows
}

func exitRows(words *locale.Printer) [][2]string {
	var rows [][2]string
	for _, e := range exits {
		rows = append(rows, [2]string{fmt.Sprint(int(e.code)), words.Text(e.meaning)})
	}
	return rows
}

// flagRows are the flags with their meaning and default, in the order in which
// they were added or by name, as the set says.
func flagRows(words *locale.Printer, flags *pflag.FlagSet) [][2]string {
	var rows [][2]string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, meaning := strings.Join(f.Annotations[valueName], ""), f.Usage
		name := "    --" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", --" + f.Name
		}
		if f.Value.Type() != "bool" && value != "" {
			name += " " + value
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" && d != "0s" {
			meaning += " " + words.Text("cli.help-default", "value", d)
		}
		rows = append(rows, [2]string{name, meaning})
	})
	return rows
}

// writeRows writes two columns that fit the screen; a second column that is long goes on below
// itself.
func writeRows(w io.Writer, rows [][2]string, width int) {
	most := min(30, width/2)
	left := 0
	for _, r := range rows {
		if n := locale.Columns(r[0]); n <= most {
			left = max(left, n)
		}
	}
	for _, r := range rows {
		if pad := left - locale.Columns(r[0]); pad < 0 {
			fmt.Fprintf(w, "  %s\n%s", r[0], strings.Repeat(" ", left+4))
		} else {
			fmt.Fprintf(w, "  %s%s  ", r[0], strings.Repeat(" ", pad))
		}
		fmt.Fprintln(w, locale.FitColumn(strings.Join(strings.Fields(r[1]), " "), width, left+4))
	}
}

// newHelp is `agent help [COMMAND]`.
func newHelp(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]…",
		Short: a.words.Text("cli.help-short"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if found, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, r := range commandRows(found) {
					names = append(names, r[0]+"\t"+r[1])
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return subcommandOnly(found, rest)
			}
			a.help(found)
			return nil
		},
	}
}
