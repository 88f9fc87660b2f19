# Rscript reference.R > raw_output.txt   (in this folder). Base R, and Debian 12's r-cran-epi.
options(digits = 12, width = 140)
d <- read.csv("people.csv"); d$change <- d$score_6 - d$score_0
out <- NULL
put <- function(case, quantity, value) { cat(case, quantity, sprintf("%.12g", value), "\n"); out <<- rbind(out, data.frame(case, quantity, value = sprintf("%.12g", value))) }
robust <- function(fit, type) {
  X <- model.matrix(fit); e <- residuals(fit); h <- hatvalues(fit); B <- solve(crossprod(X))
  w <- switch(type, HC0 = e, HC2 = e / sqrt(1 - h), HC3 = e / (1 - h))
  sqrt(diag(B %*% crossprod(X * w) %*% B))
}
ancova <- function(case, formula) {
  fit <- lm(formula, d); s <- coef(summary(fit)); print(summary(fit))
  for (a in 1:2) { row <- paste0("factor(arm)", a)
    put(case, paste0("estimate", a), s[row, 1]); put(case, paste0("se", a), s[row, 2]); put(case, paste0("p", a), s[row, 4])
    for (type in c("HC0", "HC2", "HC3")) put(case, paste0("se", a, "_", type), robust(fit, type)[row]) }
  put(case, "df", fit$df.residual)
  # Adjusted means: prediction averaged over the covariates of all who were analysed.
  X <- model.matrix(fit)
  for (a in 0:2) { Y <- X; Y[, "factor(arm)1"] <- a == 1; Y[, "factor(arm)2"] <- a == 2; put(case, paste0("mean", a), mean(Y %*% coef(fit))); m <- colMeans(Y)
    put(case, paste0("mean_se", a), sqrt(drop(t(m) %*% vcov(fit) %*% m))) }
}
ancova("ancova", change ~ factor(arm) + score_0)
ancova("ancova_covariates", change ~ factor(arm) + score_0 + age + factor(stratum))
two <- d[d$arm < 2, ]
t <- t.test(change ~ arm, two, var.equal = TRUE); print(t)
put("t_test", "estimate", diff(t$estimate)); put("t_test", "statistic", -t$statistic); put("t_test", "df", t$parameter); put("t_test", "p", t$p.value)
# Least-squares slope of each participant, and of two points, then t tests.
months <- c(0, 3, 6)
slopes <- apply(d[, c("score_0", "score_3", "score_6")], 1, function(y) if (sum(!is.na(y)) > 1) coef(lm(y ~ months))[2] else NA)
points <- apply(d[, c("score_0", "score_3", "score_6")], 1, function(y) { k <- which(!is.na(y)); if (length(k) > 1) (y[max(k)] - y[1]) / months[max(k)] else NA })
for (case in c("slope_ls", "slope_two")) {
  s <- if (case == "slope_ls") slopes else points
  t <- t.test(s[d$arm == 1], s[d$arm == 0], var.equal = TRUE); print(t)
  put(case, "estimate", -diff(t$estimate)); put(case, "statistic", t$statistic); put(case, "df", t$parameter); put(case, "p", t$p.value)
}
# Responders: fewer than 6 points lost at month 6, missing is non-response.
two$hit <- as.integer(!is.na(two$score_6) & two$score_0 - two$score_6 < 6)
fit <- glm(hit ~ arm, binomial, two, control = glm.control(epsilon = 1e-14)); s <- coef(summary(fit)); print(summary(fit))
put("logistic", "estimate", s["arm", 1]); put("logistic", "se", s["arm", 2]); put("logistic", "p", s["arm", 4])
fit <- glm(hit ~ arm + age + factor(stratum), binomial, two, control = glm.control(epsilon = 1e-14)); s <- coef(summary(fit)); print(summary(fit))
put("logistic_covariates", "estimate", s["arm", 1]); put("logistic_covariates", "se", s["arm", 2]); put("logistic_covariates", "p", s["arm", 4])
x <- tapply(two$hit, two$arm, sum); n <- tapply(two$hit, two$arm, length)
tables <- list(data = c(x[2], n[2], x[1], n[1]), newcombe = c(56, 70, 48, 80), small = c(9, 10, 3, 10), edge = c(10, 10, 0, 10), none = c(0, 12, 0, 15))
for (name in names(tables)) { v <- unname(tables[[name]]); case <- paste0("share_", name)
  put(case, "x1", v[1]); put(case, "n1", v[2]); put(case, "x0", v[3]); put(case, "n0", v[4])
  test <- suppressWarnings(prop.test(v[c(1, 3)], v[c(2, 4)], correct = FALSE)); print(test)
  put(case, "chisq_p", if (is.nan(test$p.value)) 1 else test$p.value)
  put(case, "wald_low", test$conf.int[1]); put(case, "wald_high", test$conf.int[2])
  put(case, "fisher_p", fisher.test(matrix(c(v[1], v[2] - v[1], v[3], v[4] - v[3]), 2))$p.value)
  # Newcombe's hybrid from the Wilson limits of prop.test.
  w <- sapply(c(1, 3), function(j) suppressWarnings(prop.test(v[j], v[j + 1], correct = FALSE))$conf.int); p <- v[c(1, 3)] / v[c(2, 4)]; delta <- p[1] - p[2]
  put(case, "newcombe_low", delta - sqrt((p[1] - w[1, 1])^2 + (w[2, 2] - p[2])^2)); put(case, "newcombe_high", delta + sqrt((w[2, 1] - p[1])^2 + (p[2] - w[1, 2])^2))
  # The same method 10 by Epi, which prints as many digits as it is asked for.
  nc <- Epi::ci.pd(v[1], v[3], v[2] - v[1], v[4] - v[3], method = "Nc", digits = 12, print = FALSE); put(case, "epi_low", nc[6]); put(case, "epi_high", nc[7])
  # Miettinen-Nurminen by brute force: restricted likelihood maximised numerically, limits by root finding.
  N <- v[2] + v[4]
  score <- function(D) {
    ll <- function(p0) { a <- dbinom(v[3], v[4], p0, log = TRUE) + dbinom(v[1], v[2], p0 + D, log = TRUE); ifelse(is.finite(a), a, -1e10) }
    low <- max(0, -D); high <- min(1, 1 - D)
    if (high - low < 1e-12) p0 <- low else p0 <- optimize(ll, c(low, high), maximum = TRUE, tol = 1e-13)$maximum
    p1 <- p0 + D
    (delta - D) / sqrt((p0 * (1 - p0) / v[4] + p1 * (1 - p1) / v[2]) * N / (N - 1))
  }
  z <- qnorm(0.975)
  put(case, "mn_low", if (delta == -1) -1 else uniroot(function(D) score(D) - z, c(-1 + 1e-9, delta - 1e-6), tol = 1e-12)$root)
  put(case, "mn_high", if (delta == 1) 1 else uniroot(function(D) score(D) + z, c(delta + 1e-6, 1 - 1e-9), tol = 1e-12)$root)
}
write.csv(out, "reference.csv", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("Epi", packageVersion("Epi"))), "versions.txt")
