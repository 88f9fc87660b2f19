# Rscript reference.R > raw_output.txt   (in this folder). Base R.
options(digits = 12)
set.seed(20261129)
out <- NULL
for (trial in 1:12) {
  p <- round(rbeta(4, 0.4, 3), 6)
  if (trial == 12) p <- c(0.02, 0.02, 0.5, 0.01)
  for (method in c("bonferroni", "holm", "hochberg")) {
    a <- p.adjust(p, method)
    print(a)
    out <- rbind(out, data.frame(trial, method, hypothesis = 1:4, p, adjusted = sprintf("%.12g", a)))
  }
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
writeLines(R.version.string, "versions.txt")
