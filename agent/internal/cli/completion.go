package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// valueName is the annotation with the name of a flag's value, as the help shows it.
const valueName = "value-name"

// offerValues lets a shell complete what a flag may be, and takes the marks around the name of its value
// out of what it shows.
func offerValues(cmd *cobra.Command) {
	for _, set := range []*pflag.FlagSet{cmd.LocalNonPersistentFlags(), cmd.PersistentFlags()} {
		set.VisitAll(func(f *pflag.Flag) {
			name, usage := pflag.UnquoteUsage(f)
			if f.Annotations == nil {
				f.Annotations = map[string][]string{}
			}
			f.Usage, f.Annotations[valueName] = usage, []string{name}
			if choices := strings.Split(name, "|"); len(choices) > 1 {
				f.Usage = strings.Replace(usage, ": "+name, "", 1)                                                              // they stand beside the flag
				_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(choices, cobra.ShellCompDirectiveNoFileComp)) // it is registered once
			}
		})
	}
	for _, sub := range cmd.Commands() {
		offerValues(sub)
	}
}

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     a.words.Text("cli.completion-short"),
		Long:      a.words.Text("cli.completion-long"),
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("cli.completion-which", "command", commandOf(cmd))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch root := cmd.Root(); args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return usage("cli.completion-which", "command", commandOf(cmd))
		},
	}
}
